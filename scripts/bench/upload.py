"""An upload through the API against `aws s3 cp` to the same server, and the memory use of uploads."""

import contextlib
import json
import os
import pathlib
import subprocess
import time

from bench.report import Row, compare
from bench.tools import BenchError, environment, say, seconds, start, stop, venv

CONCURRENT = 8
BLOCK = 1 << 20
MEMORY_LIMIT = 150


def measure(system, folder, quick, rounds):
    python = venv()
    size = 50_000_000 if quick else 500_000_000
    file = folder / "upload.mp4"
    random_bytes(file, size)
    api, mb = system.pid("api"), size // 1_000_000
    at_rest = memory(api, "VmRSS")

    forget_peak(api)
    pairs = []
    for number in range(rounds):
        say(f"upload: round {number + 1} of {rounds}")
        order = [vidp, aws] if number % 2 == 0 else [aws, vidp]
        taken = {way: way(system, file, python) for way in order}
        pairs.append((taken[vidp], taken[aws]))
    one = memory(api, "VmHWM")

    say(f"upload: {CONCURRENT} at once")
    forget_peak(api)
    os.sync()
    started = time.monotonic()
    jobs = all_at_once(system, file)
    together = time.monotonic() - started
    many = memory(api, "VmHWM")
    for job in jobs:
        discard(system, job)
    rows = [
        compare("upload", f"upload of {mb} MB with `vidp submit` / `aws s3 cp` to the same server", pairs, 1.1),
        memory_row("upload", f"the API's peak memory, one upload of {mb} MB at a time", one, at_rest),
        memory_row("upload", f"… {CONCURRENT} uploads of {mb} MB at once ({together:.0f} s)", many, at_rest),
    ]
    return rows, {"bytes": size, "seconds_of_all_at_once": round(together, 1)}


def vidp(system, file, _):
    """Seconds of `vidp submit`. The file is not a video, so that detection ends at once."""
    os.sync()  # Pending writes of the previous round must not slow this one down.
    command = [*system.submit_command(file), "--stages", "detect"]
    started = time.monotonic()
    process = start(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    job = answer(process)
    taken = time.monotonic() - started
    discard(system, job)
    return taken


def aws(system, file, python):
    os.sync()
    known = system.state["environment"]
    settings = environment(
        AWS_ACCESS_KEY_ID=known["VIDP_S3_ACCESS_KEY"],
        AWS_SECRET_ACCESS_KEY=known["VIDP_S3_SECRET_KEY"],
        AWS_DEFAULT_REGION="us-east-1",
        AWS_CONFIG_FILE="/dev/null",
        AWS_SHARED_CREDENTIALS_FILE="/dev/null",
    )
    command = [python, "-m", "awscli", "--endpoint-url", known["VIDP_S3_ENDPOINT"], "s3"]
    target = f"s3://{known['VIDP_S3_BUCKET']}/uploads/bench-{file.name}"
    taken = seconds([*command, "cp", "--no-progress", file, target], env=settings)
    seconds([*command, "rm", target], env=settings)
    return taken


def all_at_once(system, file):
    command = [*system.submit_command(file), "--stages", "detect"]
    running = []
    try:
        for _ in range(CONCURRENT):
            running.append(start(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL))
        return [answer(process) for process in running]
    finally:
        for process in running:
            stop(process, timeout=5)


def answer(process):
    try:
        out, _ = process.communicate()
    finally:
        stop(process, timeout=5)
    if process.returncode:
        raise BenchError(f"`vidp submit` ended with {process.returncode}")
    return json.loads(out)["id"]


def discard(system, job):
    system.wait(job)
    system.delete(job)


def random_bytes(file, size):
    """Writes random bytes, so that no layer gains by compression or deduplication."""
    with open(file, "wb") as out:
        while size > 0:
            out.write(os.urandom(min(BLOCK, size)))
            size -= BLOCK


def memory(pid, field):
    """Memory of a process in MB: `VmRSS` is the present value, `VmHWM` the peak."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith(field + ":")]
    return int(line.split()[1]) * 1024 / 1e6


def forget_peak(pid):
    """Resets the peak to the present value.

    Only root may, because the API hides its memory. For others the peak since its start counts.
    """
    with contextlib.suppress(PermissionError):
        pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")


def memory_row(measure, what, peak, at_rest):
    goal = f"< {MEMORY_LIMIT} MB"
    return Row(measure, what, f"{peak:.0f} MB", f"{at_rest:.0f} MB at rest", "", goal, peak < MEMORY_LIMIT, [peak])
