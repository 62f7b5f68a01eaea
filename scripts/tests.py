#!/usr/bin/env python3
"""Run all Rust tests, and report the seconds of each test program. `make test` calls it.

Passes the output of `cargo test --workspace` through and returns its exit code; arguments are passed to cargo. With
VIDP_STEPS=FILE, adds "SECONDS tests/NAME RESULT" to that file for each test program, as `timed.sh` does for each step.
"""

import os
import re
import subprocess
import sys
import threading

RUNNING = re.compile(r"^\s*(?:Running (?P<target>\S+(?: \S+)?) \((?P<file>\S+)\)|Doc-tests (?P<docs>\S+))")
RESULT = re.compile(r"^test result: (?P<result>\w+)\..* finished in (?P<seconds>[\d.]+)s")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def main(arguments):
    colour = "always" if sys.stdout.isatty() else "auto"
    command = ["cargo", "test", "--workspace", f"--color={colour}", *arguments]
    cargo = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    reader = threading.Thread(target=follow, args=[cargo.stdout], daemon=True)
    reader.start()
    try:
        code = cargo.wait()
    except KeyboardInterrupt:
        return 130
    # A process that a test left running holds the pipe open: its output must not delay the end.
    reader.join(timeout=5)
    return code


def follow(output):
    """Prints the output, and notes the seconds of each test program."""
    name = "?"
    for line in output:
        print(line, end="", flush=True)
        plain = COLOUR.sub("", line)
        if running := RUNNING.match(plain):
            name = title(running)
        elif result := RESULT.match(plain):
            note(f"{float(result['seconds']):.0f} tests/{name} {'ok' if result['result'] == 'ok' else 'FAILED'}")


def title(running):
    """The program and its source, as `short:tests/short.rs`. Without blanks, which separate the columns of the file."""
    if running["docs"]:
        return f"docs:{running['docs']}"
    program = os.path.basename(running["file"]).rpartition("-")[0]
    return f"{program}:{running['target'].replace('unittests ', '')}"


def note(text):
    if steps := os.environ.get("VIDP_STEPS"):
        with open(steps, "a") as file:
            file.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
