#!/usr/bin/env python3
"""Run all Rust tests: a test program for each processor at a time, four at most. `make test` calls it.

While tests of one program wait for engines, another program uses the processors. The output of a program is printed
when it ends; the other programs run on after a failure. With VIDP_STEPS=FILE, adds "SECONDS tests/NAME RESULT" to that
file for each program, as `timed.sh` does for each step.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

# The programs that take minutes, longest first: one that begins last would run alone.
LONG = ["short", "system", "scale", "http", "worker_lang", "engines"]
# Processors beyond these do not help: each program runs several tests at a time itself.
MOST_AT_ONCE = 4
# The longest program took 20 minutes on two slow processors.
LIMIT_SECONDS = 45 * 60

printing = Lock()


def main():
    programs = build()
    if programs is None:
        return 1
    at_once = min(os.cpu_count() or 1, MOST_AT_ONCE)
    with ThreadPoolExecutor(at_once) as pool:
        results = pool.map(lambda found: passes(*found), programs)
        failed = [name for (name, *_), is_ok in zip(programs, results, strict=True) if not is_ok]
    if not passes("docs", ["cargo", "test", "--workspace", "--doc", "--quiet"], Path.cwd()):
        failed.append("docs")
    if failed:
        print(f"\nFAILED: {', '.join(failed)}", flush=True)
    return 1 if failed else 0


def build():
    """The test programs, long ones first, each with its name and its package's folder. `None`: they do not compile."""
    command = ["cargo", "test", "--workspace", "--no-run", "--message-format=json-render-diagnostics"]
    cargo = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if cargo.returncode:
        return None
    messages = [json.loads(line) for line in cargo.stdout.splitlines() if line.startswith("{")]
    programs = [program(message) for message in messages if message.get("executable") and message["profile"]["test"]]
    return sorted(programs, key=rank)


def rank(found):
    target = found[0].partition(":")[0]
    return LONG.index(target) if target in LONG else len(LONG)


def program(message):
    """A test program of cargo's messages. Its name, `short:tests/short.rs`, has no blanks, which separate columns."""
    folder = Path(message["manifest_path"]).parent
    target = message["target"]
    source = Path(target["src_path"]).relative_to(folder)
    return f"{target['name']}:{source}", [message["executable"]], folder


def passes(name, command, folder):
    """Runs a command in a folder, prints its output and notes its seconds. False when it fails."""
    say(f"begins: {name}")
    began = time.monotonic()
    # A file, and no pipe: a process that a test left running would keep a pipe open.
    with tempfile.TemporaryFile() as output:
        program = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            code = program.wait(LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            program.kill()
            code = f"no end after {LIMIT_SECONDS} s"
        output.seek(0)
        text = output.read().decode(errors="replace")
    seconds = round(time.monotonic() - began)
    result = "ok" if code == 0 else "FAILED"
    say(f"\n--- {name}\n{text}--- {name}: {result} ({code}), {seconds} s\n")
    if steps := os.environ.get("VIDP_STEPS"):
        with open(steps, "a") as file:
            file.write(f"{seconds} tests/{name} {result}\n")
    return code == 0


def say(text):
    with printing:
        print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
