#!/bin/sh
# shaka-player never shows subtitles of HLS that a viewer turns on when the whole film is loaded already.
#
# Version: shaka-player 5.2.12; hls.js 1.7.4 plays the same playlists as a comparison, both in Chromium 156.
# Input: a film of 12 s with a WebVTT track, and one of 60 s. Two seconds after the start the viewer turns the subtitles
# on.
# Behaviour: the short film is in the buffer by then. shaka-player fetches the playlist and the file of the subtitles
# and then drops it: the track is "active" and in the mode "showing", and it has no cue until the end. The film of 60 s
# is not in the buffer yet, and its subtitles appear. There is no error and no warning. hls.js shows both.
# Output seen:
#     hls.js, 12 s: the file was fetched, 4 cues
#     hls.js, 60 s: the file was fetched, 4 cues
#     shaka, 12 s: the file was fetched, 0 cues
#     shaka, 60 s: the file was fetched, 4 cues
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm pack --silent shaka-player@5.2.12 hls.js@1.7.4 >/dev/null
for archive in *.tgz; do mkdir "${archive%-*}" && tar -xzf "$archive" -C "${archive%-*}" --strip-components 1; done
python3 -m venv venv
venv/bin/pip install --quiet playwright==1.65.2
for seconds in 12 60; do
  ffmpeg -v error -f lavfi -i "testsrc=s=64x64:r=10:d=$seconds" -c:v libx264 -g 40 -pix_fmt yuv420p -f hls -hls_time 4 \
    -hls_segment_type fmp4 -hls_list_size 0 -hls_playlist_type vod -hls_fmp4_init_filename "init-$seconds.mp4" \
    "film-$seconds.m3u8"
  cat >"master-$seconds.m3u8" <<EOF
#EXTM3U
#EXT-X-VERSION:7
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="text",NAME="English",LANGUAGE="en",DEFAULT=NO,AUTOSELECT=YES,URI="text-$seconds.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=100000,CODECS="avc1.64000a",RESOLUTION=64x64,SUBTITLES="text"
film-$seconds.m3u8
EOF
  cat >"text-$seconds.m3u8" <<EOF
#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:$seconds
#EXT-X-PLAYLIST-TYPE:VOD
#EXTINF:$seconds.0,
text.vtt
#EXT-X-ENDLIST
EOF
done
printf 'WEBVTT\n' >text.vtt
for second in 1 4 7 10; do
  printf '\n00:00:%02d.000 --> 00:00:%02d.900\nsecond %s\n' "$second" "$second" "$second" >>text.vtt
done
echo '<!doctype html><video muted></video>' >page.html

cat >play.py <<'EOF'
import functools
import http.server
import shutil
import sys
import threading
import time

from playwright.sync_api import sync_playwright


class Server(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


PLAYERS = {
    "hls.js": (
        "hls.js/dist/hls.min.js",
        """const player = new Hls({ maxBufferLength: 30, maxMaxBufferLength: 30 });
           player.loadSource(url); player.attachMedia(video);
           window.choose = () => { player.subtitleTrack = 0 }""",
    ),
    "shaka": (
        "shaka-player/dist/shaka-player.compiled.js",
        """const player = new shaka.Player(); await player.attach(video); await player.load(url);
           window.choose = () => player.selectTextTrack(player.getTextTracks()[0])""",
    ),
}
CUES = """[...document.querySelector('video').textTracks].filter((track) => track.mode === 'showing')
    .reduce((sum, track) => sum + track.cues.length, 0)"""

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Server, directory="."))
threading.Thread(target=server.serve_forever, daemon=True).start()
site = f"http://127.0.0.1:{server.server_port}"
found = []
with sync_playwright() as playwright:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
    for name, (script, start) in PLAYERS.items():
        for seconds in (12, 60):
            page = browser.new_page()
            fetched = []
            page.on("response", lambda answer: fetched.append(answer.url.rpartition("/")[2]))
            page.goto(f"{site}/page.html")
            page.add_script_tag(url=f"{site}/{script}")
            body = "async (url) => { const video = document.querySelector('video'); %s }" % start
            page.evaluate(body, f"master-{seconds}.m3u8")
            page.evaluate("document.querySelector('video').play()")
            page.wait_for_timeout(2000)
            page.evaluate("window.choose()")
            page.wait_for_timeout(5000)
            cues = page.evaluate(CUES)
            was = "was fetched" if "text.vtt" in fetched else "was not fetched"
            print(f"{name}, {seconds} s: the file {was}, {cues} cues", flush=True)
            found.append(("text.vtt" in fetched, cues))
            page.close()
    browser.close()
sys.exit(0 if found == [(True, 4), (True, 4), (True, 0), (True, 4)] else 1)
EOF
venv/bin/python play.py || { echo "the behaviour has changed"; exit 1; }
