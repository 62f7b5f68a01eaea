"""Plays one stream in one player, and checks what the player shows."""

import time
import urllib.parse

NAMES = ["hls.js", "shaka-hls", "shaka-dash", "dash.js"]
# The page of docs/streaming.md.
DOCUMENT = "document"
# The manifest of DASH is there at the end.
NAMES_OF_HLS = ["hls.js", "shaka-hls"]
# Seconds within which a player reacts, on a machine with other load.
LIMIT = 30


def until(page, script, what, seconds=LIMIT):
    """Waits until the script returns something, and returns that."""
    limit = time.monotonic() + seconds
    while not (result := page.evaluate(script)):
        assert time.monotonic() < limit, f"{what}: {page.evaluate(STATE)}"
        page.wait_for_timeout(50)
    return result


STATE = """() => { const video = document.querySelector('video');
    return [video.currentTime, video.duration, video.videoHeight, video.readyState, window.stalls, window.problems] }"""
VIDEO = "document.querySelector('video')"
# The number of cues in the tracks that the player shows.
SHOWN = f"[...{VIDEO}.textTracks].filter((track) => track.mode !== 'disabled')"
CUES = f"{SHOWN}.reduce((sum, track) => sum + (track.cues?.length ?? 0), 0)"


def begin(page, address, stream, video):
    """Opens the stream and plays it."""
    page.goto(address)
    until(page, "window.isReady", "the player is loaded")
    # A promise that is never kept must not keep the test waiting.
    page.evaluate("(urls) => { window.player.open(urls).then(() => { window.isOpen = true }) }", stream)
    until(page, "window.isOpen", "the stream is open")
    page.evaluate(f"{{ {VIDEO}.play() }}")
    until(page, f"{VIDEO}.currentTime > 1", "it plays")
    assert page.evaluate("window.player.levels()") == video.renditions


def change(page, video):
    """Changes to the small rendition and back. Both may pause the picture for a moment."""
    for height in reversed(video.lines):
        page.evaluate("(height) => window.player.choose(height)", height)
        until(page, f"{VIDEO}.videoHeight === {height}", f"a picture of {height} lines")


def finish(page, least_frames):
    """Plays to the end, without a stall."""
    page.evaluate("window.expected = false")
    page.evaluate(f"{VIDEO}.playbackRate = 2")
    until(page, f"{VIDEO}.ended", "the end")
    duration, time_now = page.evaluate(f"[{VIDEO}.duration, {VIDEO}.currentTime]")
    assert abs(duration - time_now) < 0.3, (duration, time_now)
    frames = page.evaluate(f"{VIDEO}.getVideoPlaybackQuality().totalVideoFrames")
    assert frames > least_frames, frames
    stalls, problems = page.evaluate("[window.stalls, window.problems]")
    assert (stalls, problems) == (0, []), (stalls, problems)


def play(page, address, name, stream, video):
    """Plays a complete stream."""
    begin(page, address, stream, video)
    assert page.evaluate("window.player.sounds()") == video.sounds, page.evaluate("window.player.sounds()")
    texts = page.evaluate("window.player.texts()")
    assert texts == video.captions + video.subtitles, texts
    if name.startswith(("shaka", "dash")):
        assert page.evaluate("window.player.images()") == 1, "thumbnails"

    page.evaluate("window.expected = true")
    change(page, video)
    if video.sounds > 1:
        page.evaluate("window.player.chooseSound(1)")
    seek(page, 7)
    if texts:
        page.evaluate("window.player.showText()")
        until(page, CUES, "captions")
    seek(page, 2)
    finish(page, 100)


def grow(page, address, name, stream, video):
    """Plays a stream from its first part while the rest is made."""
    begin(page, address, stream, video)
    edge = "window.player.edge()"
    first = page.evaluate(edge)
    assert first < video.seconds - 5, f"the stream has {first} s already"
    # A viewer who reaches the edge waits there.
    page.evaluate("window.expected = true")
    change(page, video)
    page.evaluate(f"{VIDEO}.currentTime = {edge} + 3")
    until(page, f"{VIDEO}.currentTime > {first} + 4 && {VIDEO}.readyState >= 3", "playback continues at the edge")
    assert page.evaluate("window.player.texts()") == 1, "captions that are still being written"
    # shaka-player takes a stream for a broadcast while captions may come, and allows no seek ahead of the clock.
    if name == "hls.js":
        page.evaluate("window.player.showText()")
    until(page, f"{edge} > {video.seconds} - 0.5", "the stream is complete")
    seek(page, 2)
    if name == "hls.js":
        until(page, CUES, "captions", 3 * LIMIT)
        # Each segment of the list of captions is the same file, whose times count from the beginning of the film.
        first = page.evaluate(f"Math.min(...{SHOWN}.flatMap((track) => [...track.cues]).map((cue) => cue.startTime))")
        assert first < 2, f"the first caption is at {first} s"
    seek(page, video.seconds - 8)
    finish(page, 100)


def watch(page, site, stream, video):
    """Plays a complete stream in the page of the document, which has the browser's controls alone."""
    problems = []
    page.on("pageerror", lambda error: problems.append(f"page: {error}"))
    page.goto(f"{site}/document.html?{urllib.parse.urlencode({'url': stream['hls']})}")
    page.evaluate(f"{{ {VIDEO}.muted = true; {VIDEO}.play() }}")
    until(page, f"{VIDEO}.currentTime > 1", "it plays")
    seek(page, video.seconds - 3)
    until(page, f"{VIDEO}.ended", "the end")
    assert problems == []


def seek(page, seconds):
    page.evaluate(f"{VIDEO}.currentTime = {seconds}")
    until(
        page,
        f"!{VIDEO}.seeking && {VIDEO}.currentTime > {seconds} + 0.3 && {VIDEO}.readyState >= 3",
        f"it plays at {seconds} s",
    )
