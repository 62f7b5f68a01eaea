"""Debian packages: which are missing, and their installation through apt."""

import ctypes
import os
import pathlib
import shlex
import shutil
import ssl
import subprocess
import sys

from .basics import say, stop
from .wheels import on_path, python_with_pip

UPDATE = ["apt-get", "update", "-q"]


def missing_packages(will_fetch, for_checks=False):
    """The names of the missing packages. Looks for the files that they bring, because these may come from elsewhere."""
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
        # Chromium only recommends fonts, and renders no text without one.
        here["fonts-dejavu-core"] = any(pathlib.Path("/usr/share/fonts").rglob("*.ttf"))
    if will_fetch:
        paths = ssl.get_default_verify_paths()
        here["ca-certificates"] = paths.cafile or (paths.capath and os.listdir(paths.capath))
        here["python3-pip"] = python_with_pip()
    return [package for package, found in here.items() if not found]


def library_loads(name):
    try:
        ctypes.CDLL(name)
        return True
    except OSError:
        return False


def install(packages):
    """Installs packages through apt. Without apt, it stops and names them."""
    if not shutil.which("apt-get"):
        stop(f"these Debian packages (or their equivalents on this system) are missing: {' '.join(packages)}")
    say(f"installing {', '.join(packages)} with apt (a minute or two)")
    as_root(UPDATE, ["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages])


def as_root(*commands):
    """Runs apt commands as root or through sudo. Without the rights, it stops and prints the commands."""
    by_hand = " && ".join(f"sudo {shlex.join(command)}" for command in commands)
    prefix = []
    if os.geteuid() != 0:
        may = shutil.which("sudo") and (
            sys.stdin.isatty() or subprocess.run(["sudo", "-n", "true"], stderr=subprocess.DEVNULL).returncode == 0
        )
        if not may:
            stop(f"apt needs root rights, which this user does not have. Run this, then try again:\n\n    {by_hand}\n")
        prefix = ["sudo"]
    for command in commands:
        command = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", *command]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            stop(f"apt failed:\n{done.stdout[-3000:]}\nBy hand:\n\n    {by_hand}\n")
