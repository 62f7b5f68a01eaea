#!/usr/bin/env python3
"""Check the manifests, the Compose file, the Dockerfile and the alerts against schemas and the programs' own words.

`make k8s-check` installs what this needs, builds the programs and runs all of it. One line per check; what is wrong is
told with file or build, document and field. Exit code 1 when anything is wrong.
"""

import argparse
import os
import pathlib
import sys
import time
import unittest

PYTHON = pathlib.Path(__file__).resolve().parent.parent / ".engines" / "check-venv" / "bin" / "python"
if pathlib.Path(sys.prefix).resolve() != PYTHON.parent.parent.resolve():
    if not PYTHON.exists():
        sys.exit("k8s-check: run `python3 scripts/setup.py --checks` first")
    os.execv(PYTHON, [str(PYTHON), *sys.argv])

from checks import (  # noqa: E402
    alerts,
    broker,
    build,
    compose,
    copies,
    documents,
    figures,
    hardening,
    lint,
    names,
    network,
    references,
    scaling,
    schemas,
)
from checks.tree import Tree  # noqa: E402

CHECKS = {
    "build": build,
    "schemas": schemas,
    "names": names,
    "references": references,
    "hardening": hardening,
    "network": network,
    "scaling": scaling,
    "copies": copies,
    "broker": broker,
    "compose": compose,
    "lint": lint,
    "alerts": alerts,
    "figures": figures,
    "documents": documents,
}


def options():
    listed = "\n".join(f"  {name:<12}{check.__doc__.splitlines()[0]}" for name, check in CHECKS.items())
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog=f"checks:\n{listed}\n  {'self':<12}Each check complains about a tree that was broken on purpose.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checks", nargs="*", metavar="CHECK", help="these alone (default: all)")
    chosen = parser.parse_args().checks or [*CHECKS, "self"]
    if wrong := set(chosen) - {*CHECKS, "self"}:
        parser.error(f"no such check: {', '.join(sorted(wrong))}")
    return chosen


def problems(check, tree):
    """What is wrong; a file or a field that a check needs and does not find is wrong too."""
    found = []
    try:
        for problem in check(tree):
            found.append(problem)
    except Exception as error:  # Whatever it is: the file was not as the check expects it.
        found.append(f"the check could not go on: {type(error).__name__}: {error}")
    return together(found)


def together(found):
    """One line for what is wrong in several builds alike."""
    places = {}
    for problem in found:
        place, separator, what = problem.partition(": ")
        places.setdefault(what if separator else place, []).append(place if separator else "")
    return [": ".join(filter(None, [", ".join(dict.fromkeys(where)), what])) for what, where in places.items()]


def proven():
    """Runs the checks' own tests."""
    from checks import test_files, test_manifests

    load = unittest.defaultTestLoader.loadTestsFromModule
    result = unittest.TestResult()
    unittest.TestSuite([load(test_manifests), load(test_files)]).run(result)
    return [
        f"{test.id().rpartition('.')[2]}: {trace.strip().splitlines()[-1]}"
        for test, trace in result.failures + result.errors
    ]


def main():
    tree, wrong = Tree(), 0
    for name in options():
        started = time.monotonic()
        found = proven() if name == "self" else problems(CHECKS[name].check, tree)
        wrong += len(found)
        about = "broken trees are found out" if name == "self" else CHECKS[name].__doc__.splitlines()[0].rstrip(".")
        print(f"{'FAIL' if found else 'ok':<4} {name:<11} {time.monotonic() - started:5.1f} s  {about}", flush=True)
        for problem in found:
            print(f"       {problem}", flush=True)
    if wrong:
        sys.exit(f"k8s-check: {wrong} problem{'s' if wrong > 1 else ''}")


if __name__ == "__main__":
    main()
