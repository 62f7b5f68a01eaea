#!/bin/sh
# shaka-player lets a viewer of a growing HLS list seek by the clock, and not to what the list has.
#
# Version: shaka-player 5.2.12; hls.js 1.7.4 plays the same list as a comparison, both in Chromium 156.
# Input: a list of type EVENT, whose server makes media faster than real time: it appends 8 s every 2 s. After 8 s the
# list has all 40 s, and no EXT-X-ENDLIST yet. An EVENT list never removes segments (RFC 8216, section 4.3.3.5), so
# that all of it can be played.
# Behaviour: 12 s after the start, `seekRange()` of shaka-player ends at 12 s. A seek to 30 s is moved back. With hls.js
# the viewer reaches all 40 s. There is no warning.
# Output seen:
#     hls.js: 40 s in the list, seekable to 40.2 s, a seek to 30 s plays at 33.0 s
#     shaka: 40 s in the list, seekable to 12.0 s, a seek to 30 s plays at 24.7 s
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm pack --silent shaka-player@5.2.12 hls.js@1.7.4 >/dev/null
for archive in *.tgz; do mkdir "${archive%-*}" && tar -xzf "$archive" -C "${archive%-*}" --strip-components 1; done
python3 -m venv venv
venv/bin/pip install --quiet playwright==1.65.2
ffmpeg -v error -f lavfi -i testsrc=s=64x64:r=10:d=40 -c:v libx264 -g 40 -pix_fmt yuv420p -f hls -hls_time 4 \
  -hls_segment_type fmp4 -hls_list_size 0 whole.m3u8

cat >page.html <<'EOF'
<!doctype html><video muted></video>
EOF

cat >play.py <<'EOF'
import functools
import http.server
import shutil
import sys
import threading
import time

from playwright.sync_api import sync_playwright

begun = {}


class Server(http.server.SimpleHTTPRequestHandler):
    """Serves the folder, and the list with two segments more every two seconds."""

    def do_GET(self):
        name = self.path.strip("/")
        if not name.startswith("live-"):
            return super().do_GET()
        age = time.monotonic() - begun.setdefault(name, time.monotonic())
        lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-TARGETDURATION:4", "#EXT-X-PLAYLIST-TYPE:EVENT"]
        lines.append('#EXT-X-MAP:URI="init.mp4"')
        for number in range(min(10, 2 + 2 * int(age / 2))):
            lines += ["#EXTINF:4.0,", f"whole{number}.m4s"]
        body = "\n".join(lines + [""]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.apple.mpegurl")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


PLAYERS = {
    "hls.js": (
        "hls.js/dist/hls.min.js",
        """const player = new Hls(); player.loadSource('live-hls.m3u8'); player.attachMedia(video);
           player.on('hlsLevelUpdated', (_, { details }) => { window.listed = details.fragments.length * 4 });
           window.edge = () => video.seekable.length ? video.seekable.end(0) : 0""",
    ),
    "shaka": (
        "shaka-player/dist/shaka-player.compiled.js",
        """const player = new shaka.Player(); await player.attach(video); await player.load('live-shaka.m3u8', 0);
           window.edge = () => player.seekRange().end""",
    ),
}

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Server, directory="."))
threading.Thread(target=server.serve_forever, daemon=True).start()
site = f"http://127.0.0.1:{server.server_port}"
found = {}
with sync_playwright() as playwright:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
    for name, (script, start) in PLAYERS.items():
        page = browser.new_page()
        page.goto(f"{site}/page.html")
        page.add_script_tag(url=f"{site}/{script}")
        page.evaluate("async () => { const video = document.querySelector('video'); %s }" % start)
        page.evaluate("document.querySelector('video').play()")
        time.sleep(12)
        edge = page.evaluate("window.edge()")
        page.evaluate("document.querySelector('video').currentTime = 30")
        time.sleep(3)
        place = page.evaluate("document.querySelector('video').currentTime")
        found[name] = (edge, place)
        print(f"{name}: 40 s in the list, seekable to {edge:.1f} s, a seek to 30 s plays at {place:.1f} s", flush=True)
        page.close()
    browser.close()
(hls_edge, hls_place), (shaka_edge, shaka_place) = found["hls.js"], found["shaka"]
sys.exit(0 if hls_edge > 39 and hls_place >= 30 and shaka_edge < 20 and shaka_place < 29 else 1)
EOF
venv/bin/python play.py || { echo "the behaviour has changed"; exit 1; }
