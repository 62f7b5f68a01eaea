"""This build against an earlier one: the same jobs on both, in CPU seconds of the service that does the work.

CPU seconds vary less than seconds on a clock, because other work on the machine counts less. Both systems run during
the measurement, and one of them waits at a time.
"""

import os
import pathlib
import time

from bench import media, upload
from bench.report import compare
from bench.system import System
from bench.tools import SAMPLES, BenchError, say

TICKS = os.sysconf("SC_CLK_TCK")
DETECT_CLIPS = 2  # One round is the sum of all samples, repeated, because a single detection is short.


def measure(checkout, names, folder, quick, rounds):
    """Returns the rows, and details. `checkout` is a folder in which `make build` has run; `names` chooses rows."""
    binaries = pathlib.Path(checkout).resolve() / "target" / "release"
    if not (binaries / "vidp").is_file():
        raise BenchError(f"{binaries}/vidp is missing: run `make build` in the earlier checkout")
    piece = media.footage(folder, "footage.mp4", "1920:1080", 5 if quick else 20, SAMPLES / "clip.mp4", "-crf", "22")
    clip = media.repeat(piece, 2 if quick else 3)
    file = folder / "upload.mp4"
    upload.random_bytes(file, 50_000_000 if quick else 500_000_000)
    ways = {
        "scale": (1.02, lambda system: scale(system, clip)),
        "detect": (1.02, lambda system: detect(system, 1 if quick else DETECT_CLIPS)),
        "upload": (1.03, lambda system: send(system, file)),
    }
    folders = [folder / "ours", folder / "earlier"]
    for one in folders:
        one.mkdir()
    with System(folders[0], 1000) as ours, System(folders[1], 1000, binaries) as theirs:
        rows = []
        for name, (limit, way) in ways.items():
            if names and name not in names:
                continue
            way(ours), way(theirs)  # The first job of a worker is slower.
            pairs = [pair(name, number, way, ours, theirs) for number in range(rounds)]
            cpu = [(one[0], other[0]) for one, other in pairs]
            clock = [(one[1], other[1]) for one, other in pairs]
            rows.append(compare("earlier", f"{name}, CPU seconds / an earlier build", cpu, limit))
            rows.append(compare("earlier", f"… {name}, seconds from the start of the upload", clock))
    return rows, {"clip": media.describe(clip)}


def pair(name, number, way, ours, theirs):
    """One measurement on each system; the order alternates."""
    say(f"earlier: {name}, round {number + 1}")
    order = [ours, theirs] if number % 2 == 0 else [theirs, ours]
    taken = {system: way(system) for system in order}
    return taken[ours], taken[theirs]


def scale(system, clip):
    return job(system, "scale-1", clip, "scale", "--renditions", "720p,480p,360p")


def detect(system, times):
    cpu = clock = 0
    for _ in range(times):
        for sample in sorted((SAMPLES / "speech").glob("*.ogg")):
            used, taken = job(system, "detect-1", sample, "detect")
            cpu, clock = cpu + used, clock + taken
    return cpu, clock


def job(system, service, clip, stage, *options):
    """Runs one job; returns the CPU seconds of the service, and the seconds until the job succeeded."""
    before, started = cpu_seconds(system.pid(service)), time.monotonic()
    made = system.submit(clip, "--stages", stage, *options)
    system.succeeded(made, stage)
    taken = time.monotonic() - started
    used = cpu_seconds(system.pid(service)) - before
    system.delete(made)
    return used, taken


def send(system, file):
    """Sends a file; returns the CPU seconds of the API, and the seconds of `vidp submit`."""
    before = cpu_seconds(system.pid("api"))
    taken = upload.vidp(system, file, None)
    return cpu_seconds(system.pid("api")) - before, taken


def cpu_seconds(pid):
    """CPU seconds of a process and of its children that have ended (proc(5), `stat`: utime, stime, cutime, cstime)."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(field) for field in fields[11:15]) / TICKS
