"""The options of each program, read from `--help`, and the images that the Dockerfile puts the programs into."""

import dataclasses
import functools
import os
import pathlib
import re

from .tree import BINARIES, run

OPTION = re.compile(r"^ {2,6}(?:-\w, | {4})?--([a-z0-9-]+)", re.MULTILINE)
COMMAND = re.compile(r"^  ([a-z][a-z-]*)(?:  |$)", re.MULTILINE)
ENV = re.compile(r"\[env: (\w+)")
DEFAULT = re.compile(r'\[default: "?([^"\]]*)')
ONE_OF = re.compile(r"\[possible values: ([^\]]+)\]")
LISTED = re.compile(r"^ +- ([\w-]+):", re.MULTILINE)
STAGE = re.compile(r"^FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE | re.MULTILINE)
ENTRYPOINT = re.compile(r'^ENTRYPOINT\s*\[\s*"([^"]+)"', re.MULTILINE)


@dataclasses.dataclass
class Option:
    default: str
    values: list


@dataclasses.dataclass
class Program:
    name: str
    flags: set
    env: dict  # name -> Option
    commands: set


@functools.cache
def program(name):
    """A program's options, including those of its subcommands. Raises FileNotFoundError when it is not built."""
    path = BINARIES / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: `make check` builds it")
    # `--help` would print the values of this shell as defaults.
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("VIDP_", "OTEL_"))}
    found = Program(name, set(), {}, set())

    def read(*command):
        code, text = run([path, *command, "--help"], env=clean)
        if code:
            raise RuntimeError(f"{name} {' '.join(command)} --help fails: {text}")
        options(text, found)
        for one in commands(text):
            if not command:
                found.commands.add(one)
            read(*command, one)

    read()
    return found


def commands(text):
    part = text.partition("\nCommands:\n")[2].partition("\n\n")[0]
    return [name for name in COMMAND.findall(part) if name != "help"]


def options(text, found):
    starts = list(OPTION.finditer(text))
    for start, after in zip(starts, [*starts[1:], None]):
        part = text[start.start() : after.start() if after else None]
        found.flags.add(start.group(1))
        if env := ENV.search(part):
            default, one_of = DEFAULT.search(part), ONE_OF.search(part)
            values = one_of.group(1).split(", ") if one_of else LISTED.findall(part)
            found.env[env.group(1)] = Option(default.group(1) if default else "", values)


def images(tree):
    """The Dockerfile's targets with an entry point: {target: (program, lines of the target)}."""
    text = tree.text("Dockerfile")
    starts = list(STAGE.finditer(text))
    stages = {}
    for start, after in zip(starts, [*starts[1:], None]):
        base, name = start.group(1), start.group(2) or ""
        # A stage inherits the lines of its base.
        stages[name] = stages.get(base, "") + text[start.start() : after.start() if after else None]
    found = {name: (ENTRYPOINT.findall(lines), lines) for name, lines in stages.items()}
    return {name: (pathlib.Path(entry[-1]).name, lines) for name, (entry, lines) in found.items() if entry}


def version(tree):
    """The version of the workspace, which is also the tag of the images."""
    return re.search(r'^version = "([^"]+)"', tree.text("Cargo.toml"), re.MULTILINE).group(1)


def default_port(tree, name, role):
    """The port of a program when VIDP_BIND is not set; None for a program that does not listen."""
    if "VIDP_BIND" not in program(name).env:
        return None
    if bind := program(name).env["VIDP_BIND"].default:
        return int(bind.rpartition(":")[2])
    # A worker's port depends on its role, so that `--help` cannot print it. The source has it.
    source = "\n".join(tree.text(path) for path in tree.glob(f"{name}/src/**/*.rs"))
    pattern = rf"Role::{role.capitalize()} => (\d{{4}})" if role else r"PORT: u16 = (\d{4})"
    found = re.search(pattern, source)
    return int(found.group(1)) if found else None
