"""Steps that make a file. Each returns a function that takes the path of the file."""

import pathlib
import shlex
import struct
import subprocess

SAMPLES = pathlib.Path(__file__).resolve().parent.parent.parent / "samples"
FFMPEG = ["ffmpeg", "-nostdin", "-hide_banner", "-v", "error", "-y"]


def picture(size="320x180", rate=25, seconds=4, more=""):
    """Input of ffmpeg: a film that begins with one black picture and is white from 1 s to 1.2 s."""
    return (
        f"-f lavfi -i 'testsrc2=s={size}:r={rate}:d={seconds},drawbox=t=fill:c=black:enable=eq(n\\,0),"
        f"drawbox=t=fill:c=white:enable=between(t\\,0.9999\\,1.19){more}'"
    )


def sound(seconds=4, rate=48000, channels=1):
    """Input of ffmpeg: a beep from 1 s to 1.2 s over a quiet tone."""
    one = "if(between(t\\,1\\,1.2)\\,0.5*sin(6283*t)\\,0.01*sin(1257*t))"
    return f"-f lavfi -i 'aevalsrc={'|'.join([one] * channels)}:s={rate}:d={seconds}'"


def said(language="en", seconds=24, start=0):
    """Input of ffmpeg: a recorded speech of `samples/speech`."""
    return f"-ss {start} -t {seconds} -i '{SAMPLES / 'speech' / (language + '.ogg')}'"


# Bytes at the start of a WebM file that hold its tracks.
HEADER = 1000
X264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p"
AAC = "-c:a aac -b:a 96k"


def ff(*commands):
    """Runs ffmpeg once for each command. `{out}` is the file, `{d}` its folder; a command without `{out}` or `{d}` at its
    end writes the file."""

    def make(out):
        for command in commands:
            words = shlex.split(command.replace("{d}", str(out.parent)))
            if "{out}" not in words and not words[-1].startswith(str(out.parent)):
                words.append("{out}")
            run([*FFMPEG, *[str(out) if word == "{out}" else word for word in words]])

    return make


def run(command):
    """Runs a program, and raises an error with the end of its output when it fails."""
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr.decode(errors='replace')[-600:]}")


def then(make, change):
    """Makes a file, then changes its bytes with `change(bytearray)`, which may return other bytes."""

    def made(out):
        make(out)
        data = bytearray(out.read_bytes())
        changed = change(data)
        out.write_bytes(data if changed is None else changed)

    return made


def joined(*parts):
    """Joins the bytes of parts, each made by a function."""

    def make(out):
        data = b""
        for number, part in enumerate(parts):
            path = out.with_name(f"part{number}{out.suffix}")
            part(path)
            data += path.read_bytes()
        out.write_bytes(data)

    return make


def data(content):
    """A file with these bytes."""
    return lambda out: out.write_bytes(content)


def movie_seconds(seconds):
    """MP4: the movie header states another duration. The tracks keep theirs."""

    def change(data):
        at = data.find(b"mvhd")
        scale = struct.unpack(">I", data[at + 16 : at + 20])[0]
        data[at + 20 : at + 24] = struct.pack(">I", int(seconds * scale))

    return change


def default_duration(nanoseconds):
    """WebM: another duration of a picture in the header of the video track; None removes it."""

    def change(data):
        at = data.find(b"\x23\xe3\x83", 0, HEADER)
        if at < 0:
            return
        length = data[at + 3] & 0x7F
        if nanoseconds:
            data[at + 4 : at + 4 + length] = int(nanoseconds).to_bytes(length, "big")
        else:
            data[at : at + 4 + length] = b"\xec" + bytes([0x80 | (length + 2)]) + bytes(length + 2)

    return change


def renamed(old, new, nth):
    """The n-th occurrence of four characters becomes others: MP4's code of a codec."""

    def change(data):
        at = -1
        for _ in range(nth):
            at = data.find(old, at + 1)
        data[at : at + 4] = new

    return change


def unknown_sound(nth):
    """The n-th track of AAC gets a code that no decoder here knows, and a description that none can read."""

    def change(data):
        renamed(b"mp4a", b"apac", nth)(data)
        renamed(b"esds", b"dapa", nth)(data)

    return change


def cut(share):
    """Only this share of the file, from its start."""
    return lambda data: data[: int(len(data) * share)]


def packets(first=0, lost=()):
    """MPEG-TS: begins at this share of the packets, without those at the shares `lost`."""

    def change(data):
        count = len(data) // 188
        gone = {int(count * share) for share in lost}
        kept = [n for n in range(int(count * first), count) if n not in gone]
        return b"".join(bytes(data[188 * n : 188 * (n + 1)]) for n in kept)

    return change
