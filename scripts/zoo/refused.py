"""Files that must be refused, with the right code."""

import zipfile

from zoo.browsers import CLOCK
from zoo.case import film
from zoo.making import AAC, X264, cut, data, ff, picture, sound, then

CASES = [
    film("thousand.mp4", "really 1,000 pictures a second", ff(f"{picture('64x36', 1000, 1)} {X264}"), "media_too_large", quick=True),
    film("thousand.webm", "the same in WebM", ff(f"{picture('64x36', 1000, 1)} {CLOCK} -c:v libvpx -deadline realtime"), "media_too_large"),
    film("no-index.mp4", "a download that broke off: no index",
         then(ff(f"{picture()} {sound()} {X264} {AAC}"), cut(0.6)), "damaged_media", quick=True),
    film("half.mkv", "a download that broke off: the header says 8 s",
         then(ff(f"{picture(seconds=8)} {sound(8)} {X264} {AAC}"), cut(0.6)), "damaged_media", quick=True),
    film("half.mp4", "a download that broke off behind its index",
         then(ff(f"{picture(seconds=8)} {sound(8)} {X264} {AAC} -movflags +faststart"), cut(0.6)), "damaged_media", quick=True),
    film("half.avi", "a download that broke off: AVI",
         then(ff(f"{picture(seconds=8)} {sound(8)} -c:v mpeg4 -q:v 4 -c:a libmp3lame"), cut(0.6)), "damaged_media"),
    film("picture.gif", "an animation", ff(f"{picture(seconds=1)}"), "unsupported_media"),
    film("picture.jpg", "a photo", ff(f"{picture(seconds=0.04)} -frames:v 1"), "unsupported_media", quick=True),
    film("picture.avif", "a photo in AVIF", ff(f"{picture(seconds=0.04)} -frames:v 1 -c:v libaom-av1 -cpu-used 8 -still-picture 1"),
         "unsupported_media"),
    film("subtitles.mkv", "subtitles alone",
         lambda out: ((out.parent / "s.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nhello\n"), ff("-i {d}/s.srt -c:s srt")(out)),
         "unsupported_media"),
    film("text.mp4", "a text", data(b"This is not a film.\n" * 50), "unsupported_media", quick=True),
    film("zeros.mp4", "zeros", data(bytes(100_000)), "unsupported_media"),
    film("playlist.m3u8", "a playlist", data(b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na.ts\n#EXT-X-ENDLIST\n"), "unsupported_media"),
    film("archive.zip", "an archive", lambda out: zipfile.ZipFile(out, "w").writestr("a.txt", "text"), "unsupported_media"),
    film("head-alone.webm", "a header without media",
         then(ff(f"{picture()} {sound()} -c:v libvpx -deadline realtime -c:a libopus -live 1"), lambda d: d[: d.find(b"\x1f\x43\xb6\x75")]),
         "damaged_media|unsupported_media"),
]  # fmt: skip
