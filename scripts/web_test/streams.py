"""Checks of streams: the option, and the player that plays them."""

from playwright.sync_api import expect

from site_in_browser import JOB_TIMEOUT_MS, row, until

# The options that the browser stored at an earlier visit.
OPTIONS = """if (!localStorage.getItem('vidp-options'))
    localStorage.setItem('vidp-options', '{"stages": ["scale"], "renditions": ["360p", "144p"]}')"""
VIDEO = "document.querySelector('video')"


def a_stream_plays_and_a_file_plays_on(site):
    page = site.open()
    page.add_init_script(OPTIONS)
    site.go(page)
    page.locator(".options summary").click()
    page.get_by_label("Streamable").check()
    expect(page.locator(".options summary")).to_contain_text("HLS")
    site.drop(page, ("stream.mp4", (site.samples / "clip.mp4").read_bytes()))
    expect(row(page, "stream.mp4").locator(".status")).to_have_text("Succeeded", timeout=JOB_TIMEOUT_MS)
    row(page, "stream.mp4").get_by_role("link").click()
    rendition = page.get_by_role("combobox", name="Rendition")
    expect(rendition).to_have_value("auto")
    page.get_by_role("button", name="Play", exact=True).click()
    until(page, f"{VIDEO}.currentTime > 1 && {VIDEO}.src.startsWith('blob:')")
    page.get_by_label("Position").fill("15")
    until(page, f"{VIDEO}.currentTime > 15.3")
    # The same position from a file, and from the stream again.
    rendition.select_option("144p.mp4")
    until(page, f"{VIDEO}.videoHeight === 144 && {VIDEO}.currentTime > 15.3 && !{VIDEO}.src.startsWith('blob:')")
    rendition.select_option("auto")
    until(page, f"{VIDEO}.src.startsWith('blob:') && {VIDEO}.currentTime > 15.3 && !{VIDEO}.paused")
    expect(page.locator(".screen-failed")).to_have_count(0)
    assert page.get_by_role("link", name="Download stream.json").count() == 0
    page.context.close()
