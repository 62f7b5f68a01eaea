#!/usr/bin/env python3
"""Run files as people really have them through VidP, and compare each answer with the right one.

Makes the files with ffmpeg and Chromium, submits them to a running system, and prints a table of the files, the
expected answers and the faults. Exit code 1 when an answer is wrong. Needs ffmpeg; the recordings need the packages
of `web-requirements.txt`.
"""

import argparse
import concurrent.futures
import pathlib
import sys
import tempfile
import traceback

from bench.system import System
from zoo import broadcast, browsers, cameras, editors, phones, recorder, refused, speech
from zoo.case import Film, Spoken
from zoo.client import Client
from zoo.judge import judge

GROUPS = [phones, browsers, cameras, broadcast, editors, speech, refused]
# Cases that are made, processed and judged at the same time.
PARALLEL = 3
MAX_UPLOAD_MB = 500


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="the address of a running system; without it one is started")
    parser.add_argument("--quick", action="store_true", help="only the fast third, which `make test` runs")
    parser.add_argument(
        "--only", metavar="TEXT", action="append", help="only files whose name contains TEXT; may be repeated"
    )
    parser.add_argument("--keep", type=pathlib.Path, metavar="FOLDER", help="store files and outputs in FOLDER")
    arguments = parser.parse_args()
    chosen = [case for case in all_cases(arguments) if wanted(case, arguments)]
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if arguments.url:
            wrong = visit(chosen, Client(arguments.url), folder)
        else:
            own = folder / "system"
            own.mkdir()
            with System(own, MAX_UPLOAD_MB) as system:
                wrong = visit(chosen, Client(system.url), folder)
    print(f"zoo: {len(chosen) - wrong} of {len(chosen)} answers are right")
    return 1 if wrong else 0


def all_cases(arguments):
    cases = [case for group in GROUPS for case in group.CASES]
    if not arguments.only or any("chromium" in text for text in arguments.only):
        cases += recorder.cases(arguments.quick)
    return cases


def wanted(case, arguments):
    if arguments.quick and not case.quick:
        return False
    return not arguments.only or any(text in case.name for text in arguments.only)


def visit(cases, client, folder):
    """Processes the cases, and prints a line for each; returns the number of wrong ones."""
    wrong = 0
    print(f"{'file':34} {'expected':44} got")
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        for case, faults in zip(cases, pool.map(lambda case: try_one(case, client, folder), cases)):
            wrong += bool(faults)
            print(
                f"{case.name:34} {expected(case):44} {'right' if not faults else 'WRONG: ' + '; '.join(faults)}",
                flush=True,
            )
    return wrong


def try_one(case, client, folder):
    place = folder / case.name.replace(".", "-")
    place.mkdir(exist_ok=True)
    path = place / case.name
    try:
        case.make(path)
        job = client.submit(path, case.options)
        document = client.wait(job)
        outputs = place / "outputs"
        outputs.mkdir(exist_ok=True)
        return judge(case, document, path, lambda name: client.output(job, name, outputs))
    except Exception as error:
        traceback.print_exc()
        return [f"{type(error).__name__}: {error}"]


def expected(case):
    """The right answer in a few words."""
    answers = []
    if isinstance(case.scale, Film):
        frames = "" if case.scale.frames is None else f", {case.scale.frames} pictures"
        seconds = "" if case.scale.seconds is None else f", {case.scale.seconds:g} s"
        answers.append(f"{case.scale.width}x{case.scale.height}{frames}{seconds}")
    elif case.scale:
        answers.append(case.scale)
    if isinstance(case.speech, Spoken):
        answers.append(f"{case.speech.language}, {case.speech.words} words")
    elif case.speech:
        answers.append(case.speech)
    return "; ".join(answers)


if __name__ == "__main__":
    sys.exit(main())
