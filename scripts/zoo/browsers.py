"""Recordings of browsers and calls, made by ffmpeg. `recorder.py` has real ones."""

from zoo.case import Film, Spoken, both, film, speech
from zoo.making import AAC, X264, cut, default_duration, ff, picture, said, sound, then

VP8 = "-c:v libvpx -deadline realtime -b:v 300k"
OPUS = "-c:a libopus -b:a 48k"
JITTER = ",settb=1/1000,setpts=round(N*1000/30)+mod(N*N*7919+N*131\\,20)"
# Ten pictures, a second apart, with 40 s between the fifth and the sixth.
PAUSE = ",settb=1/1000,setpts=if(lt(N\\,5)\\,N*1000\\,40000+N*1000)"
CLOCK = "-fps_mode passthrough -enc_time_base:v 1/1000"
TURNED = [
    f"{picture('320x180', 15, 2)} {VP8} {{d}}/p1.webm",
    f"{picture('180x320', 15, 2)} {VP8} {{d}}/p2.webm",
]


def turning(*names):
    """A list of files for ffmpeg's concatenation, beside them."""

    def make(out):
        (out.parent / "list.txt").write_text("".join(f"file {name}\n" for name in names))

    return make


def steps(*makers):
    def make(out):
        for maker in makers:
            maker(out)

    return make


CASES = [
    film(
        "jitter.webm", "no rate in the header, and times that jitter by 20 ms",
        then(ff(f"{picture(rate=30, more=JITTER)} {sound()} -map 0 -map 1 {CLOCK} {VP8} {OPUS} -live 1"), default_duration(None)),
        Film(256, 144, 120, 4, rate=30), quick=True,
    ),
    film(
        "header-1000.webm", "the header has 1,000 pictures a second",
        then(ff(f"{picture(rate=30, seconds=3)} {sound(3)} {VP8} {OPUS} -live 1"), default_duration(1_000_000)),
        Film(256, 144, 90, 3, rate=30), quick=True,
    ),
    film(
        "two-pictures.webm", "two pictures without a rate",
        then(ff(f"{picture(rate=30)} -frames:v 2 {VP8} -live 1"), default_duration(None)),
        Film(256, 144, 2, None, rate=30, tracks=0, sync=False), quick=True,
    ),
    film(
        "live.webm", "neither index nor duration",
        ff(f"{picture()} {sound()} {VP8} {OPUS} -live 1"), Film(256, 144, 100, 4),
    ),
    film(
        "late-camera.webm", "the camera comes on after 3 s",
        ff(f"-itsoffset 3 {picture()} {sound(7)} -map 0 -map 1 {VP8} {OPUS}"),
        Film(256, 144, 100, 7, start=3, sync=False), quick=True,
    ),
    film(
        "late-camera.mkv", "the same in Matroska with H.264",
        ff(f"-itsoffset 3 {picture()} {sound(7)} -map 0 -map 1 {X264} {AAC}"),
        Film(256, 144, 100, 7, start=3, sync=False),
    ),
    film(
        "late-microphone.webm", "the microphone comes on after 0.7 s",
        ff(f"{picture()} -itsoffset 0.7 {sound(3.3)} -map 0 -map 1 {VP8} {OPUS}"), Film(256, 144, 100, 4),
    ),
    both(
        "clock-at-an-hour.mkv", "the clock begins at one hour",
        ff(f"{picture(rate=10, seconds=8)} {said(seconds=8)} -map 0 -map 1 {X264} {AAC} -output_ts_offset 3600"),
        Film(256, 144, 80, 8, rate=10, sync=False), Spoken("en", 10, 8.1), quick=True,
    ),
    film(
        "clock-at-ten-seconds.webm", "the clock of the page that recorded it",
        ff(f"{picture()} {sound()} {VP8} {OPUS} -output_ts_offset 10"), Film(256, 144, 100, 4),
    ),
    film(
        "turned.webm", "a phone that is turned in a call",
        steps(ff(*TURNED), turning("p1.webm", "p2.webm"), ff("-f concat -safe 0 -i {d}/list.txt -c copy -live 1")),
        Film(256, 144, 60, 4, rate=15, tracks=0, sync=False, bars=0.5), quick=True,
    ),
    film(
        "turned-back.webm", "upright, then wide",
        steps(ff(*TURNED), turning("p2.webm", "p1.webm"), ff("-f concat -safe 0 -i {d}/list.txt -c copy -live 1")),
        Film(144, 256, 60, 4, rate=15, tracks=0, sync=False, bars=0.5),
    ),
    film(
        "turned.ts", "the same in MPEG-TS with H.264",
        steps(
            ff(f"{picture('320x180', 15, 2)} {X264} {{d}}/p1.ts", f"{picture('180x320', 15, 2)} {X264} {{d}}/p2.ts"),
            turning("p1.ts", "p2.ts"), ff("-f concat -safe 0 -i {d}/list.txt -c copy"),
        ),
        # ffmpeg loses the picture that is in the deinterlacer when the size changes.
        Film(256, 144, 59, 4, rate=15, tracks=0, sync=False, bars=0.5),
    ),
    film(
        "window-grows.webm", "a shared window that becomes larger, of the same shape",
        steps(
            ff(f"{picture('320x180', 15, 2)} {VP8} {{d}}/p1.webm", f"{picture('640x360', 15, 2)} {VP8} {{d}}/p2.webm"),
            turning("p1.webm", "p2.webm"), ff("-f concat -safe 0 -i {d}/list.txt -c copy -live 1"),
        ),
        Film(256, 144, 60, 4, rate=15, tracks=0, sync=False),
    ),
    both(
        "voice.webm", "Opus alone in WebM, not finished",
        ff(f"{said(seconds=8)} {OPUS} -ac 1 -live 1"), "no_video", Spoken("en", 10, 8.1),
    ),
    film(
        "vp9.webm", "VP9 and Opus",
        ff(f"{picture()} {sound()} -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 300k {OPUS}"), Film(256, 144, 100, 4),
    ),
    film(
        "av1.webm", "AV1 and Opus",
        ff(f"{picture(seconds=2)} {sound(2)} -c:v libsvtav1 -preset 12 {OPUS}"), Film(256, 144, 50, 2),
    ),
    film(
        "h264-in-matroska.mkv", "what Chromium writes for video/x-matroska;codecs=avc1",
        ff(f"{picture()} {sound()} {X264} {OPUS} -live 1"), Film(256, 144, 100, 4),
    ),
    film(
        "tab-closed.webm", "the tab was closed: the file ends in a cluster, and has no duration",
        then(ff(f"{picture()} {sound()} {VP8} {OPUS} -live 1 -cluster_time_limit 500"), cut(0.7)),
        Film(256, 144, None, None), quick=True,
    ),
    film(
        "no-microphone.mkv", "a declared audio track without packets",
        ff(f"{picture()} {sound()} {X264} {AAC} {{d}}/a.mp4", "-i {d}/a.mp4 -c copy -bsf:a noise=drop=1 -f matroska"),
        Film(256, 144, 100, 4, tracks=0, sync=False), quick=True,
    ),
    speech(
        "no-microphone-speech.mkv", "the same: both stages say the same",
        ff(f"{picture()} {sound()} {X264} {AAC} {{d}}/a.mp4", "-i {d}/a.mp4 -c copy -bsf:a noise=drop=1 -f matroska"),
        "no_audio|no_speech",
    ),
    film(
        "slides.mp4", "a shared screen: one picture a second",
        ff(f"{picture(rate=1, seconds=20)} {sound(20)} {X264} {AAC}"),
        Film(256, 144, 20, 20, rate=1),
    ),
    film(
        "standing-still.mkv", "a call that stands still for 40 s: ten pictures",
        ff(f"{picture(rate=1, seconds=10, more=PAUSE)} {sound(50)} "
           f"{CLOCK} {X264} {AAC}"),
        Film(256, 144, 10, 50, rate=1), quick=True,
    ),
]  # fmt: skip
