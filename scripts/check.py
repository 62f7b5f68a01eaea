#!/usr/bin/env python3
"""Check the source code, the documents and all that is deployed, against schemas, rules and the programs' `--help`.

`make check` installs what the checks need, builds the programs and runs all checks. Each check prints one line, and one
more for each problem, with its file or build, document and field. Exit code 1 when there is a problem.
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
        sys.exit("check: run `python3 scripts/setup.py --checks` first")
    os.execv(PYTHON, [str(PYTHON), *sys.argv])

from checks.compose import file as compose  # noqa: E402
from checks.deployed import (  # noqa: E402
    alerts,
    broker,
    build,
    copies,
    hardening,
    metrics,
    names,
    network,
    references,
    scaling,
    schemas,
    store,
)
from checks.source import citations, deny, documents, javascript, layers, lint, ruff, typos, vendored, words  # noqa: E402
from checks.tree import Tree  # noqa: E402

SOURCE = {
    "layers": layers,
    "deny": deny,
    "words": words,
    "typos": typos,
    "ruff": ruff,
    "javascript": javascript,
    "vendored": vendored,
    "documents": documents,
    "citations": citations,
}
DEPLOYED = {
    "build": build,
    "schemas": schemas,
    "names": names,
    "references": references,
    "hardening": hardening,
    "network": network,
    "scaling": scaling,
    "copies": copies,
    "broker": broker,
    "store": store,
    "compose": compose,
    "lint": lint,
    "alerts": alerts,
    "metrics": metrics,
}
CHECKS = {**SOURCE, **DEPLOYED}
SELF = "self"
SELF_TITLE = "Each check finds the fault in a tree that was broken on purpose"
GROUPS = {"source": [*SOURCE], "k8s": [*DEPLOYED, "documents", SELF]}


def title(name):
    return SELF_TITLE if name == SELF else CHECKS[name].__doc__.splitlines()[0].rstrip(".")


def options():
    """The names of the chosen checks, in the order of the command line."""
    listed = "\n".join(f"  {name:<12}{title(name)}" for name in [*CHECKS, SELF])
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog=f"checks:\n{listed}\n\ngroups: {', '.join(GROUPS)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checks", nargs="*", metavar="CHECK", help="only these checks or groups (default: all)")
    asked = parser.parse_args().checks or [*CHECKS, SELF]
    chosen = [name for one in asked for name in GROUPS.get(one, [one])]
    if unknown := set(chosen) - {*CHECKS, SELF}:
        parser.error(f"no such check: {', '.join(sorted(unknown))}")
    return list(dict.fromkeys(chosen))


def problems(check, tree):
    """The problems of a check. A missing file or field that the check needs is a problem too."""
    found = []
    try:
        found.extend(check(tree))
    except Exception as error:  # The file differs from what the check expects.
        found.append(f"the check stopped: {type(error).__name__}: {error}")
    return merged(found)


def merged(found):
    """Merges a problem that several builds share into one line."""
    places = {}
    for problem in found:
        place, separator, what = problem.partition(": ")
        places.setdefault(what if separator else place, []).append(place if separator else "")
    return [": ".join(filter(None, [", ".join(dict.fromkeys(where)), what])) for what, where in places.items()]


def proven():
    """Runs the checks' own tests; returns their failures."""
    from checks import test_files, test_manifests, test_source

    load = unittest.defaultTestLoader.loadTestsFromModule
    result = unittest.TestResult()
    unittest.TestSuite([load(test_manifests), load(test_files), load(test_source)]).run(result)
    return [
        f"{test.id().rpartition('.')[2]}: {trace.strip().splitlines()[-1]}"
        for test, trace in result.failures + result.errors
    ]


def main():
    tree, wrong = Tree(), 0
    for name in options():
        started = time.monotonic()
        found = proven() if name == SELF else problems(CHECKS[name].check, tree)
        wrong += len(found)
        result, seconds = "FAIL" if found else "ok", time.monotonic() - started
        print(f"{result:<4} {name:<11} {seconds:5.1f} s  {title(name)}", flush=True)
        for problem in found:
            print(f"       {problem}", flush=True)
        if steps := os.environ.get("VIDP_STEPS"):
            with open(steps, "a") as file:
                file.write(f"{seconds:.0f} checks/{name} {'FAILED' if found else 'ok'}\n")
    if wrong:
        sys.exit(f"check: {wrong} problem{'s' if wrong > 1 else ''}")


if __name__ == "__main__":
    main()
