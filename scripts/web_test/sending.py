"""Checks of the first load, the options and the uploads."""

import re
import subprocess

from playwright.sync_api import expect

from site_in_browser import JOB_TIMEOUT_MS, row, rows

# The most compressed bytes of the page and its files, with headers and without requests to the API.
FIRST_LOAD = 150_000

# Records every state that a row shows.
RECORD_STATES = """(name) => {
    window.seenStates = new Set();
    const look = () => {
        const row = [...document.querySelectorAll('.row')].find((one) => one.querySelector('a').textContent === name);
        if (!row) return;
        const bars = [...row.querySelectorAll('.stage-bar-text, .stage-bar > .hidden')].map((one) => one.textContent);
        window.seenStates.add(row.querySelector('.status').textContent.trim() + ' ' + bars.join(' '));
    };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""


def first_load_is_small(site):
    page = site.page
    addresses, sizes = {}, {}
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")

    def answered(event):
        addresses[event["requestId"]] = event["response"]["url"]

    def ended(event):
        sizes[event["requestId"]] = event["encodedDataLength"]

    network.on("Network.responseReceived", answered)
    network.on("Network.loadingFinished", ended)
    page.goto(site.url)
    expect(page.locator(".connection.live, dialog")).to_be_visible()
    page.wait_for_load_state("load")
    network.detach()
    files = [size for request, size in sizes.items() if "/api/" not in addresses[request]]
    total = sum(files)
    print(f"   first load: {total / 1000:.0f} kB in {len(files)} files")
    assert 10_000 < total <= FIRST_LOAD, f"the first load is {total} bytes"


def a_key_is_requested(site):
    dialog = site.page.get_by_role("dialog")
    if site.key:
        dialog.get_by_label("Key").fill("vidp_wrong")
        site.page.keyboard.press("Enter")
        expect(dialog.get_by_role("alert")).to_have_text("The server does not accept this key. Check it and try again.")
        site.enter_key(site.page)
    expect(site.page.locator(".connection")).to_have_text("Live")


def options_are_stored(site):
    page = site.page
    page.locator(".options summary").click()
    # Small renditions, because this test is not about encoding.
    for name in ["720p", "480p"]:
        page.get_by_label(name).uncheck()
    page.get_by_label("144p").check()
    page.get_by_label("TXT").check()
    page.get_by_role("combobox", name="Spoken language").select_option("en")
    page.reload()
    if site.key:
        expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".options summary")).to_contain_text("360p, 144p")
    expect(page.locator(".options summary")).to_contain_text("English")
    expect(page.locator(".connection")).to_have_text("Live")
    page.locator(".options summary").click()
    page.get_by_role("combobox", name="Spoken language").select_option("auto")
    page.locator(".options summary").click()


def dropped_videos_move_live(site):
    page = site.page
    page.evaluate("window.sameDocument = true")
    page.evaluate(RECORD_STATES, "film.mp4")
    files = [
        ("silent.mp4", make_video(site, "silent.mp4", seconds=4).read_bytes(), "Succeeded"),
        ("entretien.mp4", make_video(site, "entretien.mp4", seconds=12, speech="fr").read_bytes(), "Succeeded"),
        ("broken.mp4", bytes(range(256)) * 200, "Failed"),
        ("film.mp4", (site.samples / "clip.mp4").read_bytes(), "Succeeded"),
    ]
    before = rows(page, "film.mp4").count()
    site.drop(page, *[file[:2] for file in files])
    expect(rows(page, "film.mp4")).to_have_count(before + 1)
    for name, _, status in files:
        expect(row(page, name).locator(".status")).to_have_text(status, timeout=JOB_TIMEOUT_MS)
    expect(row(page, "entretien.mp4")).to_contain_text("French")
    seen = page.evaluate("[...window.seenStates]")
    running = [state for state in seen if state.startswith("Running")]
    assert len(running) >= 2, f"the row showed only {seen}"
    assert page.evaluate("window.sameDocument"), "the page was loaded again"
    expect(page.locator(".upload")).to_have_count(0)


def a_bad_file_is_explained(site):
    page = site.page
    row(page, "broken.mp4").get_by_role("link").click()
    failure = page.locator(".failure")
    expect(failure).to_have_count(1)
    stages = [re.compile(stage) for stage in ["Language", "Renditions", "Subtitles"]]
    expect(failure.get_by_role("listitem")).to_have_text(stages)
    expect(failure).to_contain_text("This is not a video or audio file that VidP can read.")
    expect(failure).to_contain_text("convert it to MP4")
    expect(page.locator("h1")).to_be_focused()
    page.get_by_role("link", name="All jobs").click()


def uploads_are_queued_cancelled_paused_and_resumed(site):
    page = site.page
    site.go(page)
    clip, times = (site.samples / "clip.mp4").read_bytes(), 3
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 500_000}
    network.send("Network.emulateNetworkConditions", slow)
    names = ["long.mp4", "second.mp4", "third.mp4"]
    site.drop(page, *[(name, clip) for name in names], times=times)
    upload, second, third = (page.locator(".upload").filter(has_text=name) for name in names)
    for sent in [upload, second]:
        expect(sent.get_by_role("progressbar")).to_have_attribute("aria-valuenow", re.compile("[1-9]"))
    expect(third).to_contain_text("Waiting")
    page.get_by_role("button", name="Cancel the upload of third.mp4").click()
    with page.expect_response(lambda answer: answer.request.method == "DELETE") as cancelled:
        page.get_by_role("button", name="Cancel the upload of second.mp4").click()
    assert cancelled.value.status == 204
    expect(page.locator(".upload")).to_have_count(1)
    page.get_by_role("button", name="Pause the upload of long.mp4").click()
    expect(upload).to_contain_text("Paused")
    expect(page.get_by_role("button", name="Resume the upload of long.mp4")).to_be_visible()
    page.reload()
    network.send("Network.emulateNetworkConditions", {**slow, "uploadThroughput": -1})
    expect(page.locator(".connection")).to_have_text("Live")
    with page.expect_request(lambda request: request.method == "PATCH") as appended:
        site.drop(page, ("long.mp4", clip), times=times)
    offset = int(appended.value.headers["upload-offset"])
    assert 0 < offset < len(clip) * times, f"the upload resumed at {offset} of {len(clip) * times}"
    expect(row(page, "long.mp4")).to_contain_text("5.6 MB")


def make_video(site, name, seconds, speech=None):
    """Creates a video file. It has no audio unless `speech` names a sample."""
    path = site.folder / name
    picture = "gradients=s=640x360:r=12:speed=0.02"
    sound = ["-i", site.samples / "speech" / f"{speech}.ogg", "-c:a", "aac"] if speech else []
    coding = ["-t", str(seconds), "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", picture, *sound, *coding, path], check=True)
    return path
