"""Programs: where they are, and how they are run so that none outlives the benchmark."""

import ctypes
import os
import pathlib
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
    """A measurement that could not be made, with the reason for a person."""


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def die_with_parent():
    """In the child: when the benchmark itself is killed, so is this one."""
    libc.prctl(PR_SET_PDEATHSIG, SIGTERM)


def environment(**extra):
    """Ours without VidP's and AWS's settings: the figures are of the defaults."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VIDP_", "AWS_"))}
    return {**kept, **extra}


def start(command, **options):
    """A child in a process group of its own, so that Ctrl-C reaches the benchmark only, which ends it in order."""
    options.setdefault("env", environment())
    return subprocess.Popen(
        [str(part) for part in command],
        start_new_session=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - no thread runs here
        **options,
    )


def stop(process, patience=40):
    """Ends a child in order; after `patience` seconds without mercy."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def run(command, **options):
    """Runs a program to its end and returns its standard output; BenchError with the last of what it said."""
    process = start(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    try:
        out, err = process.communicate()
    finally:
        stop(process, patience=5)
    if process.returncode:
        said = (err or out).decode(errors="replace").strip()[-1500:]
        raise BenchError(f"{command[0]} ended with {process.returncode}: {said}")
    return out.decode()


def seconds(command, **options):
    """How long a program takes, from its start to its end."""
    started = time.monotonic()
    run(command, **options)
    return time.monotonic() - started


def ffmpeg(*args):
    run(["ffmpeg", "-v", "error", "-nostdin", "-y", *args])


def binary(name):
    path = BINARIES / name
    if not path.is_file():
        raise BenchError(f"{path} is not there: run `make bench`, which builds it")
    return path


def venv():
    """The Python that has what we compare with, installed first when it is not there."""
    try:
        return environments.make(VENV, REQUIREMENTS)
    except SystemExit as stopped:
        # What does not need it is measured all the same.
        raise BenchError(str(stopped)) from None


def versions():
    """What the figures depend on, for the head of the table."""
    pins = dict(line.split("==") for line in REQUIREMENTS.read_text().splitlines() if line and not line.startswith("#"))
    return {
        "ffmpeg": run(["ffmpeg", "-version"]).split()[2],
        **{name: pins[name] for name in ("faster-whisper", "ctranslate2", "awscli")},
    }
