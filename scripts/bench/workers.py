"""One film on eight workers against one: each worker has a fifth of a core, by control groups. Needs root."""

import contextlib
import pathlib
import time

from bench import media
from bench.earlier import cpu_seconds
from bench.report import Row, compare
from bench.system import ONE_PIECE, System
from bench.tools import SAMPLES, BenchError, say

WORKERS = 8
SHARE = 0.2  # Of a core, for each worker.
PERIOD = 100_000  # Microseconds.
GOAL = 6.8
LADDER = {"1280:720": "720p,480p,360p", "640:360": "360p,240p"}
MINUTES = 5


def measure(folder, quick, rounds):
    size = "640:360" if quick else "1280:720"
    piece = media.footage(folder, "piece.mp4", size, 20, SAMPLES / "clip.mp4", "-crf", "24", "-g", "50")
    film, ladder = media.repeat(piece, MINUTES * 3), LADDER[size]
    rows = []
    with limited(folder / "one", 1) as one, limited(folder / "all", WORKERS) as several:
        say(f"workers: {WORKERS} and 1, {media.describe(film)}")
        pairs = []
        for _ in range(max(1, rounds // 3)):
            clock = [scale(system, film, ladder)[0] for system in (one, several)]
            pairs.append(clock)
        speedup = sorted(alone / shared for alone, shared in pairs)[len(pairs) // 2]
        alone, shared = pairs[0]
        goal = (f"≥ {GOAL} ×", speedup >= GOAL)
        what = f"a film on {WORKERS} workers / on 1, each with {SHARE} of a core, seconds"
        rows.append(Row("workers", what, f"{shared:.1f} s", f"{alone:.1f} s", f"{speedup:.2f} × as fast", *goal, pairs))
    with (
        System(folder_of(folder / "parts"), 1000) as parts,
        System(folder_of(folder / "whole"), 1000, settings=ONE_PIECE) as whole,
    ):
        pairs = [[scale(system, film, ladder)[1] for system in (parts, whole)] for _ in range(rounds)]
        rows.append(compare("workers", "the film in parts / in one piece on one worker, CPU seconds", pairs, 1.06))
    return rows, {"film": media.describe(film)}


def folder_of(path):
    path.mkdir()
    return path


@contextlib.contextmanager
def limited(path, workers):
    """A system whose workers have a share of a core each."""
    arguments = ["--scale-workers", str(workers)]
    with System(folder_of(path), 1000, arguments=arguments) as system, contextlib.ExitStack() as groups:
        for number in range(1, workers + 1):
            groups.enter_context(group(system.pid(f"scale-{number}")))
        yield system


@contextlib.contextmanager
def group(pid):
    """A control group, of version 1 or 2, with the process and the children that it will have."""
    root = pathlib.Path("/sys/fs/cgroup")
    is_first = (root / "cpu").is_dir()
    folder = (root / "cpu" if is_first else root) / f"vidp-bench-{pid}"
    try:
        folder.mkdir()
        quota = int(SHARE * PERIOD)
        if is_first:
            (folder / "cpu.cfs_period_us").write_text(str(PERIOD))
            (folder / "cpu.cfs_quota_us").write_text(str(quota))
        else:
            (folder / "cpu.max").write_text(f"{quota} {PERIOD}")
        (folder / "cgroup.procs").write_text(str(pid))
    except OSError as error:
        raise BenchError(f"no control group for a worker: {error}") from error
    try:
        yield
    finally:
        # A group is removed when it is empty: its processes move back.
        for task in (folder / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                (folder.parent / "cgroup.procs").write_text(task)
        with contextlib.suppress(OSError):
            folder.rmdir()


def scale(system, film, ladder):
    """Runs one job; returns the seconds from the end of the upload, and the CPU seconds of all workers of `scale`."""
    services = [one["pid"] for one in system.state["services"] if one["name"].startswith("scale-")]
    before = sum(map(cpu_seconds, services))
    job = system.submit(film, "--stages", "scale", "--renditions", ladder, "--no-copy")
    started = time.monotonic()
    system.succeeded(job, "scale")
    taken = time.monotonic() - started
    used = sum(map(cpu_seconds, services)) - before
    system.delete(job)
    return taken, used
