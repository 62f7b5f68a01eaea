"""Python environments below `.engines/`, one for each purpose, with the packages of a requirements file."""

import shutil
import subprocess
import sys

from .basics import ENGINES, stop
from .wheels import python_with_pip


def place(name):
    """The environment's folder, and its Python."""
    folder = ENGINES / name
    return folder, folder / "bin" / "python"


def is_ready(name, requirements):
    """True when the environment exists and has the packages of the current requirements file."""
    folder, python = place(name)
    stamp = folder / "installed"
    return python.exists() and stamp.exists() and stamp.read_text() == requirements.read_text()


def make(name, requirements, *options):
    """Returns the environment's Python, and creates the environment first when it is missing or outdated.

    `options` are passed to pip. Stops when pip is missing or fails.
    """
    folder, python = place(name)
    if is_ready(name, requirements):
        return python
    with_pip = python_with_pip() or stop("pip is missing: install the package python3-pip")
    # On standard error: standard output belongs to the program that calls this.
    print(f"setup: installing the packages of {requirements.name} into .engines/{name}", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    # An outside pip fills the environment, because Debian's Python creates no pip in it without python3-venv.
    run([with_pip, "-m", "venv", "--without-pip", folder])
    (packages,) = folder.glob("lib/python*/site-packages")
    run([with_pip, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input",
         "--only-binary=:all:", *options, "--target", packages, "--requirement", requirements])  # fmt: skip
    (folder / "installed").write_text(requirements.read_text())
    return python


def run(command, **options):
    """Runs a program to its end; stops with its output when it fails."""
    done = subprocess.run(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )
    if done.returncode:
        stop(f"{command[0]} failed:\n{done.stdout[-3000:]}")
