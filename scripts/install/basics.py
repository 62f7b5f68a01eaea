"""Folders and messages that every part of the installation uses."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SCRIPTS = ROOT / "scripts"
ENGINES = ROOT / ".engines"


def say(text):
    print(f"setup: {text}", flush=True)


def stop(text):
    """Ends the program with a message and exit code 1."""
    sys.exit(f"setup: {text}")
