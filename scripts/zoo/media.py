"""Measures a film independently of VidP: with ffprobe and ffmpeg, from its decoded pictures and samples."""

import array
import json
import math
import subprocess

# Levels that tell the marks of the zoo's films from the rest.
BLACK, WHITE, BEEP = 40, 200, 0.15
RATE = 48000
# Every picture with its own time.
EACH = ["-fps_mode", "passthrough", "-enc_time_base", "1:1000000"]


def ffprobe(path, *arguments):
    command = ["ffprobe", "-v", "error", "-of", "json", *arguments, path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return json.loads(done.stdout or "{}")


def streams(path):
    """The streams and the format, as ffprobe describes them."""
    return ffprobe(path, "-show_streams", "-show_format")


def closed_captions(path):
    """The text of the closed captions inside the pictures."""
    command = ["ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i", f"movie={path.name}[out0+subcc]"]
    command += ["-map", "0:s", "-f", "srt", "-"]
    return subprocess.run(command, cwd=path.parent, capture_output=True, text=True, check=False).stdout


def decoding_errors(path):
    """The errors of ffmpeg when it decodes everything; empty for a whole file."""
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-nostdin",
        "-xerror",
        "-i",
        path,
        "-map",
        "0:v?",
        "-map",
        "0:a?",
        *EACH,
        "-f",
        "framecrc",
        "-",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr.strip() or (f"ffmpeg ended with {done.returncode}" if done.returncode else "")


def pictures(path, stream="v"):
    """Time and mean brightness (0 to 255) of each picture of a file. Damaged pictures are left out."""
    command = ["ffmpeg", "-v", "quiet", "-nostdin", "-copyts", "-i", path, "-map", f"0:{stream}", *EACH, "-vf", "scale=16:16,format=gray", "-f", "framecrc", "-c:v", "rawvideo", "-"]  # fmt: skip
    times = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = [int(line.split(",")[2]) / 1e6 for line in times.splitlines() if line and not line.startswith("#")]
    command[command.index("framecrc")] = "rawvideo"
    grey = subprocess.run(command, capture_output=True, check=False).stdout
    return [(time, sum(grey[256 * n : 256 * n + 256]) / 256) for n, time in enumerate(found)]


def flash(found):
    """Time of the first white picture."""
    return next((time for time, level in found if level > WHITE), None)


def beep(path):
    """Time of the first loud sample of the first audio track, on the clock of the file."""
    first = ffprobe(path, "-select_streams", "a:0", "-show_entries", "frame=pts_time", "-read_intervals", "%+#4")
    times = [float(frame["pts_time"]) for frame in first.get("frames", []) if "pts_time" in frame]
    # ffmpeg mixes no more than eight channels: the first one stands for more.
    samples = mono(path, "-ac", "1") or mono(path, "-af", "pan=mono|c0=c0")
    peak = max(map(abs, samples), default=0)
    if peak < 0.01 or not times:
        return None
    return times[0] + next(n / RATE for n, sample in enumerate(samples) if abs(sample) > peak * BEEP / 0.5)


def mono(path, *mixing):
    """The samples of the first audio track as one channel."""
    samples = decoded(path, "-map", "0:a:0", *mixing, "-ar", str(RATE), "-f", "f32le")
    return array.array("f", samples)


def decoded(path, *arguments, before=()):
    """The bytes that ffmpeg makes of a file; `before` has the options of the input. Damage leaves them shorter."""
    command = ["ffmpeg", "-v", "quiet", "-nostdin", *before, "-i", path, *arguments, "-"]
    return subprocess.run(command, capture_output=True, check=False).stdout


def grey_pictures(path, count, filters="format=gray", before=()):
    """The brightness of each pixel of the first pictures, 0 to 255, one byte each."""
    return decoded(path, "-vf", filters, "-frames:v", str(count), "-f", "rawvideo", before=before)


def size(path):
    """Width and height of the first video stream."""
    facts = next(s for s in streams(path)["streams"] if s["codec_type"] == "video")
    return facts["width"], facts["height"]


def comb(path):
    """The highest mean of |2y - above - below| over the lines of a picture: high for two fields in one."""
    width, height = size(path)
    grey = grey_pictures(path, 12)
    pixels, worst = width * height, 0
    for at in range(4 * pixels, len(grey) - pixels + 1, pixels):
        lines = [grey[at + width * y : at + width * (y + 1)] for y in range(height)]
        total = sum(
            abs(2 * lines[y][x] - lines[y - 1][x] - lines[y + 1][x])
            for y in range(1, height - 1)
            for x in range(0, width, 2)
        )
        worst = max(worst, total / ((height - 2) * math.ceil(width / 2)))
    return worst


def bars(path, seconds):
    """Share of the width or of the height of one picture that is black at both edges together."""
    width, height = size(path)
    grey = grey_pictures(path, 1, before=("-ss", str(seconds)))
    if len(grey) < width * height:
        return 0
    rows = sum(max(grey[width * y : width * (y + 1)]) < 24 for y in range(height))
    columns = sum(max(grey[x : width * height : width]) < 24 for x in range(width))
    return max(rows / height, columns / width)


def brightness(path):
    """Mean brightness of an image; `None` when it does not decode."""
    grey = grey_pictures(path, 1, "scale=16:16,format=gray")
    return sum(grey[:256]) / 256 if len(grey) >= 256 else None
