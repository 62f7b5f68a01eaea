#!/usr/bin/env python3
"""Plays streams of a running system in Debian's Chromium, with hls.js, shaka-player and dash.js, and in the page of
docs/streaming.md.

    run.py --url http://127.0.0.1:8000                every player and every kind of video
    run.py --url … --only hls.js                      kinds and players whose name has this text

The page has another origin than the API, and the object store a third one. Each player begins, changes the rendition
down and up, seeks, shows captions and plays to the end. Exit code 1 when a check fails. Needs the packages of
`web-requirements.txt` and `scripts/npm`, chromium and ffmpeg.
"""

import argparse
import faulthandler
import http.server
import pathlib
import sys
import tempfile
import threading
import time
import traceback

import player
import videos
from playwright.sync_api import sync_playwright

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PACKAGES = ROOT / ".engines/npm/node_modules"

# Seconds of one player at most. A browser that answers no more must not keep the test waiting.
LIMIT = 300

# Chromium's sandbox does not work in containers. The other flags prevent requests to the network.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]


class Files(http.server.SimpleHTTPRequestHandler):
    """The page of this folder, that of the document with its player, and all players below `/npm/`."""

    def do_GET(self):
        if self.path.partition("?")[0] == "/document.html":
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(document().encode())
        else:
            super().do_GET()

    def translate_path(self, path):
        path = path.partition("?")[0]
        if path == "/hls.min.js":
            path = "/npm/hls.js/dist/hls.min.js"
        if path.startswith("/npm/"):
            return str(PACKAGES / path.removeprefix("/npm/"))
        return str(HERE / path.lstrip("/"))

    def log_message(self, *arguments):
        pass


def document():
    """The first page of docs/streaming.md."""
    text = (ROOT / "docs/streaming.md").read_text()
    return text.partition("```html\n")[2].partition("```")[0]


def serve():
    """Serves the page, and returns its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="the system's address")
    parser.add_argument("--only", default="", help="text in the names of kinds and players")
    parser.add_argument("--browser", default="/usr/bin/chromium", help="the path of Chromium")
    arguments = parser.parse_args()
    started, checks = time.monotonic(), 0
    site = serve()
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=arguments.browser, args=FLAGS)
        for video in videos.ALL:
            all_names = player.NAMES_OF_HLS if video.growing else player.NAMES
            if video is videos.ALL[0]:
                all_names = [*all_names, player.DOCUMENT]
            names = [name for name in all_names if arguments.only in f"{video.name} {name}"]
            stream = None
            for name in names:
                # Each player of a growing stream gets another job.
                if stream is None or video.growing:
                    stream = videos.streamed(arguments.url, video, pathlib.Path(folder))
                    print(f"grant {stream['hls'].split('/')[-2]}", flush=True)
                start = time.monotonic()
                faulthandler.dump_traceback_later(LIMIT, exit=True)
                page = browser.new_page()
                try:
                    address = f"{site}/player.html?player={name}"
                    if name == player.DOCUMENT:
                        player.watch(page, site, stream, video)
                    elif video.growing:
                        player.grow(page, address, name, stream, video)
                    else:
                        player.play(page, address, name, stream, video)
                except Exception:
                    print(f"FAILED {video.name} {name}", flush=True)
                    traceback.print_exc()
                    print(page.evaluate("window.problems"))
                    return 1
                page.close()
                checks += 1
                print(f"ok {video.name} {name} {time.monotonic() - start:.1f} s", flush=True)
    faulthandler.cancel_dump_traceback_later()
    print(f"players: {checks} checks passed in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
