"""Python environments below `.engines/`, one for each purpose, with the packages of a requirements file."""

import shutil
import subprocess
import sys

import setup


def place(name):
    """The environment's folder, and its Python."""
    folder = setup.ENGINES / name
    return folder, folder / "bin" / "python"


def is_ready(name, requirements):
    """Whether it is there, with today's pins."""
    folder, python = place(name)
    stamp = folder / "installed"
    return python.exists() and stamp.exists() and stamp.read_text() == requirements.read_text()


def make(name, requirements, *options):
    """Its Python, made first when it is not there; `options` are pip's. Without pip, or when pip fails, it stops."""
    folder, python = place(name)
    if is_ready(name, requirements):
        return python
    with_pip = setup.python_with_pip() or setup.stop("pip is missing: install the package python3-pip")
    # Not among a program's own output.
    print(f"setup: installing the packages of {requirements.name} into .engines/{name}", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    # pip is brought from outside, because Debian's Python makes no environment with pip unless python3-venv is there.
    run([with_pip, "-m", "venv", "--without-pip", folder])
    (packages,) = folder.glob("lib/python*/site-packages")
    run([with_pip, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input",
         "--only-binary=:all:", *options, "--target", packages, "--requirement", requirements])  # fmt: skip
    (folder / "installed").write_text(requirements.read_text())
    return python


def run(command, **options):
    """Runs a program to its end; what it said is told when it fails."""
    done = subprocess.run(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )
    if done.returncode:
        setup.stop(f"{command[0]} failed:\n{done.stdout[-3000:]}")
