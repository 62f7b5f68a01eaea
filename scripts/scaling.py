#!/usr/bin/env python3
"""Replay uploads through the autoscaling that `k8s/` ships, with task times measured on the real workers.

    scaling.py            the tables of docs/scaling.md
    scaling.py write      the same, into docs/scaling.md, and its pictures into docs/images/
    scaling.py test       checks of the formula and of the shipped settings
    scaling.py measure    measure the task times again (needs `make models`; about seven minutes)

Installs PyYAML, and matplotlib for the pictures, into .engines/scaling-venv when Python lacks them, pinned by hash.
Needs no cluster; only `measure` needs engines.
"""

import argparse
import importlib.util
import os
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
VENV = "scaling-venv"
REQUIREMENTS = HERE / "scaling-requirements.txt"
NEEDED = {"write": ["yaml", "matplotlib"], "measure": []}


def with_modules(names):
    """Restarts the program in an environment that has the modules, unless this one has them."""
    if all(importlib.util.find_spec(name) for name in names):
        return
    from install import environments

    python = environments.make(VENV, REQUIREMENTS, "--require-hashes")
    os.execv(python, [python, __file__, *sys.argv[1:]])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["tables", "write", "test", "measure"], default="tables")
    parser.add_argument("--k8s", type=pathlib.Path, default=HERE.parent / "k8s", help="the manifests to replay")
    asked = parser.parse_args()
    with_modules(NEEDED.get(asked.what, ["yaml"]))
    if asked.what == "measure":
        from scaling import measure

        measure.measure(HERE / "scaling" / "service_times.json")
        return 0
    if asked.what == "test":
        os.environ["SCALING_K8S"] = str(asked.k8s)
        found = unittest.defaultTestLoader.discover(HERE / "scaling", top_level_dir=HERE)
        return not unittest.TextTestRunner().run(found).wasSuccessful()
    from scaling import settings, tables

    shipped = settings.shipped(asked.k8s)
    if asked.what == "write":
        from scaling import plot

        tables.DOC.write_text(tables.written(tables.DOC.read_text(), shipped))
        plot.all_of_them(shipped, tables.DOC.parent / "images")
        return 0
    for title, table in tables.all_of_them(shipped).values():
        print(f"### {title}\n\n{table}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
