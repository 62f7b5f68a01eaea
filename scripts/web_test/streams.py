"""Checks of streams: the option, the player that plays them, and the embed page."""

import functools
import http.server
import subprocess
import threading

from playwright.sync_api import expect

from site_in_browser import JOB_TIMEOUT_MS, row, until

# The options that the browser stored at an earlier visit.
OPTIONS = """if (!localStorage.getItem('vidp-options'))
    localStorage.setItem('vidp-options', '{"stages": ["scale"], "renditions": ["360p", "144p"]}')"""
FILM_SECONDS = 40
VIDEO = "document.querySelector('video')"
# A page of another site. The icon prevents a request.
SHOP = '<!doctype html><html lang="en"><title>Shop</title><link rel="icon" href="data:,"><h1>Shop</h1>'
# A grant that no job has.
WRONG_GRANT = "A" * 54


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


def a_film_plays_while_it_is_made(site):
    page = site.open()
    page.add_init_script(OPTIONS.replace('"144p"]', '"144p"], "stream": true'))
    site.go(page)
    site.drop(page, ("film.mkv", film(site.folder)))
    row(page, "film.mkv").get_by_role("link").click()
    label = page.locator(".growing")
    expect(label).to_contain_text("Still being made", timeout=JOB_TIMEOUT_MS)
    assert page.locator(".job-head .status").inner_text() == "Running"
    page.get_by_role("button", name="Play", exact=True).click()
    until(page, f"{VIDEO}.currentTime > 1")
    # The film becomes complete during playback, and playback continues.
    expect(label).to_have_count(0, timeout=JOB_TIMEOUT_MS)
    until(page, f"{VIDEO}.seekable.end(0) > {FILM_SECONDS} - 0.5")
    page.get_by_label("Position").fill(str(FILM_SECONDS - 3))
    until(page, f"{VIDEO}.ended")
    expect(page.locator(".screen-failed")).to_have_count(0)
    page.context.close()


def film(folder):
    """A film that takes some seconds to encode."""
    path = folder / "film.mkv"
    picture = f"testsrc2=s=1280x720:r=50:d={FILM_SECONDS}"
    encoder = "-c:v libx264 -preset ultrafast -crf 40 -pix_fmt yuv420p -c:a aac"
    inputs = f"-f lavfi -i {picture} -f lavfi -i sine=beep_factor=4:d={FILM_SECONDS}"
    subprocess.run(["ffmpeg", "-v", "error", "-y", *f"{inputs} {encoder}".split(), path], check=True)
    return path.read_bytes()


def a_stream_plays_in_a_page_of_another_site(site):
    page = site.open()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    site.go(page)
    row(page, "stream.mp4").get_by_role("link").click()
    page.get_by_role("button", name="Copy the embed code").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".message")).to_contain_text("The embed code was copied. It plays until")
    code = page.evaluate("navigator.clipboard.readText()")
    assert code.startswith(f'<iframe src="{site.url}/embed/'), code
    page.context.close()
    other = site.open()
    with serve(site.folder / "shop", SHOP + code) as server:
        other.goto(f"http://localhost:{server.server_port}/")
        film = other.frame_locator("iframe").locator("video")
        expect(film).to_have_js_property("readyState", 4)
        film.click()
        until(other.frames[1], f"{VIDEO}.currentTime > 1")
        server.shutdown()
    other.goto(f"{site.url}/embed/{WRONG_GRANT}")
    expect(other.get_by_role("alert")).to_have_text("This film cannot be played: the link may have expired.")
    site.ignore_errors("404")
    other.context.close()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


def serve(folder, text):
    """Serves a page with this text at another origin."""
    folder.mkdir()
    (folder / "index.html").write_text(text)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
