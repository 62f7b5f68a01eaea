"""The quality of a film in parts against one piece, by VMAF, on an ffmpeg that has libvmaf (imageio-ffmpeg)."""

import json
import statistics

from bench import media
from bench.report import Row
from bench.system import ONE_PIECE, System
from bench.tools import SAMPLES, BenchError, run, say, venv

SECONDS = 60
LIMIT = 0.3  # VMAF points that the parts may lose on average.
RENDITION = "720p"
PROGRAM = "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())"


def measure(folder, quick, rounds):
    """One round is enough: the same film has the same pictures each time."""
    del rounds
    meter = run([venv(), "-c", PROGRAM]).strip()
    piece = media.footage(folder, "piece.mp4", "1280:720", 20, SAMPLES / "clip.mp4", "-crf", "16")
    film = media.repeat(piece, 2 if quick else SECONDS // 20)
    found = {}
    for name, settings in (("parts", {"VIDP_PART_SECONDS": "10"}), ("whole", ONE_PIECE)):
        own = folder / name
        own.mkdir()
        with System(own, 1000, settings=settings) as system:
            job = system.submit(film, "--stages", "scale", "--renditions", RENDITION, "--no-copy")
            document, _ = system.succeeded(job, "scale")
            made = own / f"{RENDITION}.mp4"
            made.write_bytes(system.request("GET", f"/api/v1/jobs/{job}/outputs/scale/{made.name}"))
            (rendition,) = document["stages"]["scale"]["result"]["renditions"]
        say(f"quality: measuring {name}")
        found[name] = (vmaf(meter, made, film, own / "vmaf.json"), rendition["size"])
    (parts, parts_size), (whole, whole_size) = found["parts"], found["whole"]
    lost = statistics.mean(whole) - statistics.mean(parts)
    rows = [
        Row("quality", f"VMAF of {RENDITION} in parts of 10 s, in one piece", f"{statistics.mean(parts):.2f}",
            f"{statistics.mean(whole):.2f}", f"{lost:+.2f} lost", f"≤ {LIMIT}", lost <= LIMIT, [round(lost, 3)]),
        Row("quality", "… the worst picture", f"{min(parts):.1f}", f"{min(whole):.1f}",
            f"{min(whole) - min(parts):+.1f} lost", "", None, []),
        Row("quality", "… bytes", f"{parts_size / 1e6:.2f} MB", f"{whole_size / 1e6:.2f} MB",
            f"{parts_size / whole_size:.3f} ×", "", None, []),
    ]  # fmt: skip
    return rows, {"film": media.describe(film)}


def vmaf(meter, made, film, log):
    """The VMAF of each picture of `made` against `film`."""
    pictures = "settb=1/25,setpts=N"
    graph = f"[0:v]{pictures}[made];[1:v]{pictures}[film];[made][film]libvmaf=n_threads=2:log_fmt=json:log_path={log}"
    run([meter, "-v", "error", "-nostdin", "-i", made, "-i", film, "-lavfi", graph, "-f", "null", "-"])
    values = [frame["metrics"]["vmaf"] for frame in json.loads(log.read_text())["frames"]]
    if not values:
        raise BenchError("no picture was compared")
    return values
