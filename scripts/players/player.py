"""Plays one stream in one player, and checks what the player shows."""

import time

NAMES = ["hls.js", "shaka-hls", "shaka-dash", "dash.js"]
# Seconds within which a player reacts, on a machine with other load.
LIMIT = 30
FULL, SMALL = 360, 144


def until(page, script, what):
    """Waits until the script returns something, and returns that."""
    limit = time.monotonic() + LIMIT
    while not (result := page.evaluate(script)):
        assert time.monotonic() < limit, f"{what}: {page.evaluate(STATE)}"
        page.wait_for_timeout(50)
    return result


STATE = """() => { const video = document.querySelector('video');
    return [video.currentTime, video.duration, video.videoHeight, video.readyState, window.stalls, window.problems] }"""
VIDEO = "document.querySelector('video')"


def play(page, address, name, stream, video):
    page.goto(address)
    until(page, "window.isReady", "the player is loaded")
    # A promise that is never kept must not keep the test waiting.
    page.evaluate("(urls) => { window.player.open(urls).then(() => { window.isOpen = true }) }", stream)
    until(page, "window.isOpen", "the stream is open")
    page.evaluate(f"{{ {VIDEO}.play() }}")
    until(page, f"{VIDEO}.currentTime > 1", "it plays")
    assert page.evaluate("window.player.levels()") == video.renditions
    assert page.evaluate("window.player.sounds()") == video.sounds, page.evaluate("window.player.sounds()")
    texts = page.evaluate("window.player.texts()")
    assert texts == (1 if video.captions else 0), texts
    if name.startswith(("shaka", "dash")):
        assert page.evaluate("window.player.images()") == 1, "thumbnails"

    # Another rendition is loaded at the next segment, or at once; both may pause the picture.
    page.evaluate("window.expected = true")
    for height in (SMALL, FULL):
        page.evaluate("(height) => window.player.choose(height)", height)
        until(page, f"{VIDEO}.videoHeight === {height}", f"a picture of {height} lines")
    if video.sounds > 1:
        page.evaluate("window.player.chooseSound(1)")
    seek(page, 7)
    if video.captions:
        page.evaluate("window.player.showText()")
        cues = f"[...{VIDEO}.textTracks].some((track) => track.mode !== 'disabled' && track.cues?.length > 0)"
        until(page, cues, "captions")
    seek(page, 2)
    page.evaluate("window.expected = false")
    page.evaluate(f"{VIDEO}.playbackRate = 2")
    until(page, f"{VIDEO}.ended", "the end")
    duration, time_now = page.evaluate(f"[{VIDEO}.duration, {VIDEO}.currentTime]")
    assert abs(duration - time_now) < 0.3, (duration, time_now)
    frames = page.evaluate(f"{VIDEO}.getVideoPlaybackQuality().totalVideoFrames")
    assert frames > 100, frames
    stalls, problems = page.evaluate("[window.stalls, window.problems]")
    assert (stalls, problems) == (0, []), (stalls, problems)


def seek(page, seconds):
    page.evaluate(f"{VIDEO}.currentTime = {seconds}")
    until(
        page,
        f"!{VIDEO}.seeking && {VIDEO}.currentTime > {seconds} + 0.3 && {VIDEO}.readyState >= 3",
        f"it plays at {seconds} s",
    )
