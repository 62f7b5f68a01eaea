"""The videos that are played, and their streams."""

import dataclasses
import json
import pathlib
import subprocess
import time
import urllib.request
import uuid

# Seconds that a job takes at most, on a machine with other load.
LIMIT = 180
SAMPLES = pathlib.Path(__file__).resolve().parent.parent.parent / "samples"
# Twelve seconds of a picture that moves.
PICTURE = "-f lavfi -i testsrc2=s=640x360:r={rate}:d=12"
H264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p"
# A cue each second.
TEXT = "".join(f"{n}\n00:00:{n:02},000 --> 00:00:{n:02},900\ncue {n}\n\n" for n in range(11))


@dataclasses.dataclass(frozen=True)
class Video:
    """A video: ffmpeg's arguments, or a file of `samples/`."""

    name: str
    source: str
    scale: dict = dataclasses.field(default_factory=dict)
    # The job makes captions from the speech.
    captions: bool = False
    # Number of subtitle tracks of the source.
    subtitles: int = 0
    sounds: int = 1
    renditions: int = 2
    # Lines of the largest rendition and of the smallest one.
    lines: tuple = (360, 144)
    seconds: int = 12
    # Played while it is made.
    growing: bool = False


ALL = [
    Video("speech", "clip.mp4", captions=True),
    Video("vp9", f"{PICTURE.format(rate=25)} -f lavfi -i sine=d=12 {H264} -c:a aac", scale={"codec": "vp9"}),
    Video("av1", f"{PICTURE.format(rate=25)} -f lavfi -i sine=d=12 {H264} -c:a aac", scale={"codec": "av1"}),
    Video("silent", f"{PICTURE.format(rate=25)} {H264}", sounds=0),
    Video("59.94", f"{PICTURE.format(rate='60000/1001')} -f lavfi -i sine=d=12 {H264} -c:a aac"),
    Video(
        "variable",
        f"{PICTURE.format(rate=30)} -f lavfi -i sine=d=12 -vf select='gt(mod(n,7),2)' -fps_mode vfr {H264} -c:a aac",
    ),
    Video(
        "two-sounds",
        f"{PICTURE.format(rate=25)} -f lavfi -i sine=d=12 -f lavfi -i sine=f=880:d=12 -map 0:v -map 1:a -map 2:a "
        f"{H264} -c:a aac -metadata:s:a:0 language=eng -metadata:s:a:1 language=fra",
        sounds=2,
    ),
    # shaka-player shows no subtitles that are chosen when the whole film is loaded, so that the film is longer.
    Video(
        "subtitles",
        "-f lavfi -i testsrc2=s=640x360:r=25:d=30 -f lavfi -i sine=d=30 -i {folder}/text.srt -map 0 -map 1 -map 2 "
        f"-map 2 {H264} -c:a aac -c:s srt -metadata:s:s:0 language=eng -metadata:s:s:1 language=fra "
        "-disposition:s:1 hearing_impaired",
        subtitles=2,
        seconds=30,
    ),
    Video(
        "surround",
        f"{PICTURE.format(rate=25)} -f lavfi -i sine=d=12 -af pan=5.1|FL=c0|FR=c0|FC=c0|BL=c0|BR=c0 {H264} -c:a ac3",
        scale={"audio_layout": "source"},
    ),
    Video(
        "portrait",
        f"-f lavfi -i testsrc2=s=360x640:r=25:d=12 -f lavfi -i sine=d=12 {H264} -c:a aac",
        lines=(640, 256),
    ),
    Video(
        "hdr",
        f"{PICTURE.format(rate=25)} -f lavfi -i sine=d=12 -c:v libx265 -preset ultrafast -pix_fmt yuv420p10le "
        "-x265-params log-level=error -color_trc smpte2084 -color_primaries bt2020 -colorspace bt2020nc -c:a aac",
    ),
    Video(
        "growing",
        f"-f lavfi -i testsrc2=s=1280x720:r=50:d=60 -stream_loop -1 -i {SAMPLES}/speech/en.ogg -t 60 {H264} -c:a aac",
        captions=True,
        seconds=60,
        growing=True,
    ),
]


def streamed(url, video, folder):
    """Sends a video, waits for its stream, and returns the addresses for players by the name of the protocol."""
    path = SAMPLES / video.source
    if not path.exists():
        path = folder / f"{video.name}.mkv"
        (folder / "text.srt").write_text(TEXT)
        source = video.source.replace("{folder}", str(folder)).split()
        subprocess.run(["ffmpeg", "-v", "error", "-y", *source, path], check=True)
    stages = ["scale", "subtitle"] if video.captions else ["scale"]
    options = {"stages": stages, "scale": {"stream": True, "renditions": ["360p", "144p"], **video.scale}}
    if video.captions:
        options["subtitle"] = {"language": "en"}
    job = send(f"{url}/api/v1/jobs", form(options, path))
    limit = time.monotonic() + LIMIT
    while video.growing and not job["playable_at"] and job["status"] in ("queued", "running"):
        assert time.monotonic() < limit, f"{video.name}: {job['status']}"
        time.sleep(0.1)
        job = send(f"{url}/api/v1/jobs/{job['id']}")
    while not video.growing and job["status"] not in ("succeeded", "partial", "failed", "cancelled"):
        assert time.monotonic() < limit, f"{video.name}: {job['status']}"
        job = send(f"{url}/api/v1/jobs/{job['id']}?wait=10")
    assert job["status"] == ("running" if video.growing else "succeeded"), job
    granted = send(f"{url}/api/v1/jobs/{job['id']}/playback", ("application/json", b"{}"))
    return {protocol: url + granted[protocol] for protocol in ("hls", "dash") if granted[protocol]}


def form(options, path):
    """A body of `multipart/form-data` with its content type."""
    boundary = uuid.uuid4().hex
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="options"\r\n\r\n{json.dumps(options)}\r\n'
    head += f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{path.name}"\r\n\r\n'
    return (
        f"multipart/form-data; boundary={boundary}",
        head.encode() + path.read_bytes() + f"\r\n--{boundary}--\r\n".encode(),
    )


def send(url, body=None):
    content_type, data = body or (None, None)
    headers = {"Content-Type": content_type} if content_type else {}
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=60) as answer:
        return json.load(answer)
