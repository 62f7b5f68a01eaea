#!/usr/bin/env python3
"""Measure VidP against other tools that do the same work, on this machine, in one run.

`make bench` builds the programs and runs this. `docs/benchmarks.md` describes the comparisons. No process outlives the
run. Exit code 0 when every comparison was measured, even if it missed its goal.
"""

import argparse
import datetime
import functools
import json
import pathlib
import shutil
import signal
import sys
import tempfile

from bench import earlier, length, playable, quality, report, scale, speech, upload, viewers, workers
from bench.system import System
from bench.tools import ROOT, BenchError, say, versions

NEEDED_GB = 15
WITH_SYSTEM = {"scale": scale.measure, "length": length.measure, "upload": upload.measure, "playable": playable.measure,
               "viewers": viewers.measure}  # fmt: skip
ALONE = {"detect": speech.detect, "transcribe": speech.transcribe, "workers": workers.measure,
         "quality": quality.measure}  # fmt: skip
NAMES = [*WITH_SYSTEM, *ALONE]


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="use short clips and one round, to try this script")
    parser.add_argument("--only", action="append", choices=NAMES, help="measure only this comparison; may be repeated")
    parser.add_argument("--rounds", type=int, help="number of measurements of each pair (default 3; 1 with --quick)")
    parser.add_argument("--earlier", metavar="CHECKOUT", help="measure only this build against the one in this folder")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="also write the results to this file")
    return parser.parse_args()


def measure(chosen, earlier_checkout, asked, folder, quick, rounds):
    """Returns rows, and details by name. A failed comparison is reported and does not stop the others."""
    rows, details = [], {}

    def one(name, work):
        if name not in chosen:
            return
        own = folder / name
        own.mkdir()
        try:
            some, details[name] = work(own, quick, rounds)
            rows.extend(some)
        except (BenchError, OSError) as error:
            say(f"{name} could not be measured: {error}")
            details[name] = {"error": str(error)}
        finally:
            shutil.rmtree(own, ignore_errors=True)  # The disk has space for one comparison at a time.

    one("earlier", functools.partial(earlier.measure, earlier_checkout, asked))
    if chosen & set(WITH_SYSTEM):
        data = folder / "vidp"
        data.mkdir()
        # A video of one hour exceeds the default limit of 500 MB.
        with System(data, max_upload_mb=1000) as system:
            for name, work in WITH_SYSTEM.items():
                one(name, functools.partial(work, system))
    for name, work in ALONE.items():
        one(name, work)
    return rows, details


def main():
    asked = options()
    # Runs the end of every `with` and `finally`, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    place = ROOT / "bench-out"
    place.mkdir(exist_ok=True)
    if not asked.quick and shutil.disk_usage(place).free < NEEDED_GB * 1e9:
        sys.exit(f"bench: {NEEDED_GB} GB of free disk are needed in {place}")
    chosen = {"earlier"} if asked.earlier else set(asked.only or NAMES)
    machine, used = report.machine(), versions()
    if machine["load"] > 0.5:
        say(f"something else is running (load {machine['load']:.1f}): only the ratios are reliable")
    with tempfile.TemporaryDirectory(prefix="run-", dir=place) as folder:
        rounds = asked.rounds or (1 if asked.quick else 3)
        rows, details = measure(chosen, asked.earlier, asked.only, pathlib.Path(folder), asked.quick, rounds)

    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    print(f"{now}, {machine['processor']}, {machine['cores']} cores, {machine['memory_gb']:.0f} GB, "
          f"load {machine['load']:.1f} at the start and {report.machine()['load']:.1f} at the end, "
          f"{', '.join(f'{name} {version}' for name, version in used.items())}\n")  # fmt: skip
    print(report.table(rows))
    if asked.quick:
        print("\nShort clips: these results show that the script works, not the speed of VidP.")
    if asked.json:
        document = {
            "date": now, "machine": machine, "versions": used, "quick": asked.quick, "rounds": rounds,
            "rows": [vars(row) for row in rows], "details": details,
        }  # fmt: skip
        asked.json.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return 1 if any("error" in detail for detail in details.values()) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except BenchError as error:
        sys.exit(f"bench: {error}")
