"""Finds and runs programs so that none outlives the benchmark."""

import ctypes
import os
import pathlib
import re
import subprocess
import sys
import time

from install import environments

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SAMPLES = ROOT / "samples"
WEIGHTS = ROOT / ".engines" / "weights"
VENV = "bench-venv"
REQUIREMENTS = ROOT / "scripts" / "bench-requirements.txt"
BINARIES = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "release"

PR_SET_PDEATHSIG = 1
SIGTERM = 15
libc = ctypes.CDLL(None)


class BenchError(Exception):
    """A measurement failed; the message has the reason."""


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def die_with_parent():
    """Runs in the child process: the kernel ends the child when the benchmark dies."""
    libc.prctl(PR_SET_PDEATHSIG, SIGTERM)


def environment(**extra):
    """The environment without settings of VidP and AWS, so that the defaults are measured."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("VIDP_", "AWS_"))}
    return {**inherited, **extra}


def start(command, **options):
    """Starts a child in a separate process group: Ctrl-C reaches only the benchmark, which then stops the child."""
    options.setdefault("env", environment())
    return subprocess.Popen(
        [str(part) for part in command],
        start_new_session=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - the benchmark has no threads
        **options,
    )


def stop(process, timeout=40):
    """Terminates a child, and kills it after `timeout` seconds."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def run(command, **options):
    """Runs a program and returns its standard output. Raises BenchError with the end of its output when it fails."""
    process = start(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    try:
        out, err = process.communicate()
    finally:
        stop(process, timeout=5)
    if process.returncode:
        output = (err or out).decode(errors="replace").strip()[-1500:]
        raise BenchError(f"{command[0]} ended with {process.returncode}: {output}")
    return out.decode()


def seconds(command, **options):
    """Runs a program; returns its seconds from start to end."""
    started = time.monotonic()
    run(command, **options)
    return time.monotonic() - started


def ffmpeg(*args):
    run(["ffmpeg", "-v", "error", "-nostdin", "-y", *args])


def binary(name, folder=BINARIES):
    path = folder / name
    if not path.is_file():
        raise BenchError(f"{path} is missing: run `make bench`, which builds it")
    return path


def venv():
    """The Python that has the tools to compare with; installs them first when they are missing."""
    try:
        return environments.make(VENV, REQUIREMENTS, "--require-hashes")
    except SystemExit as stopped:
        # The comparisons without these tools still run.
        raise BenchError(str(stopped)) from None


def versions():
    """Versions of the measured tools, for the head of the table."""
    pins = dict(re.findall(r"^([\w-]+)==([\w.]+)", REQUIREMENTS.read_text(), re.MULTILINE))
    return {
        "ffmpeg": run(["ffmpeg", "-version"]).split()[2],
        **{name: pins[name] for name in ("faster-whisper", "ctranslate2", "awscli")},
    }
