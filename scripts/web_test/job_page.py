"""Checks of the page of a finished job."""

import re

from playwright.sync_api import expect

from site_in_browser import row, until

TIME = "document.querySelector('video').currentTime"
CAPTIONS = """() => {
    const [track] = document.querySelector('video').textTracks;
    return track?.mode === 'showing' && track.activeCues?.[0]?.text;
}"""

PICTURE_WIDTH = """async (address) => {
    const picture = new Image();
    picture.src = address;
    await picture.decode();
    return picture.naturalWidth;
}"""
# URLs of renditions, at the API or at the object store.
MEDIA = re.compile(r"/\d+p\.mp4(\?|$)")


def a_rendition_plays_with_captions(site):
    page = site.page
    row(page, "film.mp4").get_by_role("link").click()
    expect(page.locator("h1")).to_have_text("film.mp4")
    page.get_by_role("button", name="Play", exact=True).click()
    until(page, f"{TIME} > 0.3")
    before = page.evaluate(TIME)
    until(page, f"{TIME} > {before} + 0.3")
    caption = until(page, CAPTIONS)
    assert "number" in caption, caption
    page.get_by_role("button", name="Captions").click()
    until(page, "document.querySelector('video').textTracks[0].mode === 'hidden'")
    page.get_by_role("button", name="Captions").click()
    page.get_by_role("button", name="Pause").click()
    until(page, "document.querySelector('video').paused")


def a_transcript_line_seeks_the_video(site):
    page = site.page
    lines = page.locator(".lines li")
    search = page.get_by_label("Search the transcript")
    search.fill("CALL")
    expect(page.locator(".lines mark").first).to_have_text(re.compile("call", re.IGNORECASE))
    found = lines.count()
    expect(page.get_by_text(f"{found} lines")).to_be_visible()
    search.fill("")
    expect(lines).not_to_have_count(found)
    line = lines.nth(3)
    minutes, seconds = line.locator(".clock").inner_text().split(":")
    start = int(minutes) * 60 + int(seconds)
    line.get_by_role("button").click()
    until(page, f"{TIME} >= {start} && {TIME} < {start + 1.1}")
    expect(line).to_have_attribute("aria-current", "true")


def another_rendition_resumes_at_the_same_position(site):
    page = site.page
    before = page.evaluate(TIME)
    first = page.evaluate("document.querySelector('video').videoHeight")
    page.get_by_role("combobox", name="Rendition").select_option("144p.mp4")
    until(page, "document.querySelector('video').videoHeight === 144")
    assert first == 360
    until(page, f"Math.abs({TIME} - {before}) < 0.2")


def an_expired_link_is_renewed(site):
    page = site.page
    expired = []

    def refuse(route):
        expired.append(route.request.url)
        route.fulfill(status=403)

    rendition = page.get_by_role("combobox", name="Rendition")
    page.get_by_role("button", name="Play", exact=True).click()
    until(page, "!document.querySelector('video').paused")
    before = page.evaluate(TIME)
    page.route(MEDIA, refuse, times=1)
    rendition.select_option("360p.mp4")
    until(page, f"document.querySelector('video').videoHeight === 360 && {TIME} > {before} + 0.3")
    assert len(expired) == 1, expired
    assert page.evaluate(TIME) < before + 5
    page.route(MEDIA, refuse)
    rendition.select_option("144p.mp4")
    failed = page.locator(".screen-failed")
    expect(failed).to_be_visible()
    assert len(expired) == 3, expired
    page.unroute(MEDIA)
    rendition.select_option("360p.mp4")
    until(page, "document.querySelector('video').videoHeight === 360")
    expect(failed).to_have_count(0)
    page.get_by_role("button", name="Pause").click()
    until(page, "document.querySelector('video').paused")
    site.ignore_errors("403")


def the_bar_shows_pictures(site):
    page = site.page
    bar = page.get_by_label("Position")
    box = bar.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] / 2)
    picture = page.locator(".preview-picture")
    expect(picture).to_be_visible()
    middle = picture.evaluate("(one) => one.style.backgroundPosition")
    address = picture.evaluate("(one) => one.style.backgroundImage").split('"')[1]
    assert page.evaluate(PICTURE_WIDTH, address) >= 160
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2)
    expect(picture).not_to_have_css("background-position", middle)
    page.mouse.move(0, 0)
    expect(picture).to_have_count(0)


def results_are_shown(site):
    page = site.page
    expect(page.locator(".answer")).to_contain_text("English")
    expect(page.locator(".bars li").first).to_have_text(re.compile(r"English\s*\d+"))
    bars = page.locator(".bars li")
    page.get_by_role("button", name=re.compile(r"Show all \d+ languages")).click()
    expect(bars.filter(has_text="Tibetan")).to_have_count(1)
    assert page.locator(".bars").bounding_box()["height"] < 500
    page.get_by_role("button", name="Show fewer languages").click()
    expect(bars).to_have_count(5)
    expect(page.locator(".windows li").first).to_have_text(re.compile(r"0:00 – \d:\d\d\s*English · \d+"))
    sizes = page.locator(".renditions tbody tr")
    expect(sizes).to_have_count(3)
    expect(sizes.nth(0)).to_contain_text("100%")
    expect(sizes.nth(1)).to_have_text(re.compile(r"360p.*640×360.*kB"))
    timings = page.locator(".timings")
    for phase in ["Queue", "Fetch", "Process", "Store"]:
        expect(timings.get_by_role("columnheader", name=phase)).to_be_visible()
    expect(timings.get_by_role("row")).to_have_count(4)


def files_are_downloaded(site):
    page = site.page
    for name, start in [("144p.mp4", b"\0\0\0"), ("subtitles.srt", b"1\n00:00"), ("transcript.txt", b"The number")]:
        with page.expect_download() as download:
            page.get_by_role("link", name=f"Download {name}").click()
        assert download.value.suggested_filename.endswith(name), download.value.suggested_filename
        content = download.value.path().read_bytes()
        assert content.startswith(start), content[:20]


def keys_control_the_player(site):
    page = site.page
    page.get_by_label("Position").focus()
    before = page.evaluate(TIME)
    page.keyboard.press("ArrowRight")
    until(page, f"Math.abs({TIME} - {before} - 5) < 0.3")
    page.keyboard.press("k")
    until(page, "!document.querySelector('video').paused")
    page.keyboard.press("k")
    until(page, "document.querySelector('video').paused")
