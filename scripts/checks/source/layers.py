"""Crates, files and folders keep the layers: no forbidden edge, no import circle, no crowded folder, no long file.

Every edge inside the circles, with the names that make it:

    cd scripts && python3 -m checks.source.layers
"""

import collections
import pathlib

from ..tree import Tree
from . import python, rust, script

# Crate -> the crates of the workspace that it may depend on.
ALLOWED = {
    "vidp-contract": set(),
    "vidp-cmaf": set(),
    "vidp-common": {"vidp-contract"},
    "vidp-worker": {"vidp-common", "vidp-contract"},
    "vidp-record": {"vidp-contract"},
    "vidp-pipeline": {"vidp-record", "vidp-common", "vidp-contract"},
    "vidp-api": {"vidp-pipeline", "vidp-record", "vidp-common", "vidp-contract"},
    "worker-lang": {"vidp-worker", "vidp-common", "vidp-contract"},
    "worker-scale": {"vidp-worker", "vidp-common", "vidp-cmaf", "vidp-contract"},
    "vidp": {"vidp-contract", "vidp-engines"},
    "vidp-engines": set(),
    "vidp-faults": {"vidp-record", "vidp-common", "vidp-contract", "vidp-engines"},
}
# The top of the stack: no crate may depend on it, not even for tests.
TOP = "vidp-api"
# Driver -> the crates that may use it.
ONLY_IN = {
    "mongodb": {"vidp-record", "vidp-faults"},
    "async-nats": {"vidp-common", "vidp-worker", "vidp-pipeline", "vidp-faults"},
    "aws-": {"vidp-common"},
}
# Crate -> the packages that it must not use.
NOT_IN = {
    "vidp-pipeline": {"axum", "utoipa", "utoipa-axum", "mongodb"},
    "vidp-record": {"axum", "async-nats", "aws-", "reqwest"},
}
SIDE_BY_SIDE = 20
LINES = 400
SOURCES = (".rs", ".py", ".js", ".css")
# Other people's files.
NOT_OURS = ("web/vendor/",)


def check(tree):
    yield from edges(tree.packages)
    yield from drivers(tree.packages)
    for name, graph in graphs(tree):
        for circle in circles(graph):
            way = " -> ".join(loop(circle, graph))
            yield f"{name}: import circle of {len(circle)} files: {way}{others(circle, graph)}"
    yield from folders(tree)
    yield from long_files(tree)


def edges(packages):
    """Dependencies between the workspace's crates against the allowed ones."""
    members = {package["name"] for package in packages}
    for package in packages:
        name = package["name"]
        if name not in ALLOWED:
            yield f"{name}: the crate has no layer: add it to ALLOWED in scripts/checks/source/layers.py"
            continue
        for other, kind in dependencies(package):
            if other == TOP:
                yield f"{name}: depends on {TOP}, which is the top layer"
            elif kind == "normal" and other in members and other not in ALLOWED[name]:
                may = ", ".join(sorted(ALLOWED[name])) or "no other crate of the workspace"
                yield f"{name}: depends on {other}; it may depend on {may}"


def drivers(packages):
    """Drivers of databases, brokers, stores and HTTP stay in the crates that own them."""
    for package in packages:
        name = package["name"]
        for other, kind in dependencies(package):
            if kind != "normal":
                continue
            for driver, owners in ONLY_IN.items():
                if is_one(other, driver) and name not in owners:
                    yield f"{name}: depends on {other}; only {', '.join(sorted(owners))} may"
            if any(is_one(other, driver) for driver in NOT_IN.get(name, ())):
                yield f"{name}: depends on {other}, which this layer must not know"


def dependencies(package):
    return [(one["name"], one["kind"] or "normal") for one in package["dependencies"]]


def is_one(name, driver):
    return name.startswith(driver) if driver.endswith("-") else name == driver


def graphs(tree):
    """The import graph of each crate, of the Python programs and of the page: (name, {(from, to): names})."""
    for package in tree.packages:
        folder = pathlib.Path(package["manifest_path"]).parent.relative_to(tree.root).as_posix()
        yield package["name"], rust.crates(tree, folder).edges()
    yield "scripts", python.edges(tree, "scripts")
    yield "web", script.edges(tree, "web/js")


def circles(graph):
    """Sets of files that reach each other (Tarjan's strongly connected components), largest first."""
    after = collections.defaultdict(set)
    for start, end in graph:
        after[start].add(end)
    reached = {start: reach(start, after) for start in sorted(after)}
    found = {
        frozenset({start, *(end for end in reached[start] if start in reached.get(end, ()))})
        for start in reached
        if start in reached[start]
    }
    return sorted(found, key=lambda circle: (-len(circle), sorted(circle)))


def reach(start, after):
    found, waiting = set(), [start]
    while waiting:
        for end in after.get(waiting.pop(), ()):
            if end not in found:
                found.add(end)
                waiting.append(end)
    return found


def loop(circle, graph):
    """The shortest way around in a circle, from a file to itself."""
    ways = []
    for start in sorted(circle):
        waiting, before = collections.deque([start]), {}
        while waiting and start not in before:
            here = waiting.popleft()
            for end in sorted(end for begin, end in graph if begin == here and end in circle and end not in before):
                before[end] = here
                waiting.append(end)
        way = [start]
        while len(way) == 1 or way[-1] != start:
            way.append(before[way[-1]])
        ways.append(way[::-1])
    return min(ways, key=len)


def others(circle, graph):
    rest = sorted(circle - set(loop(circle, graph)))
    return f"; and {', '.join(rest)}" if rest else ""


def folders(tree):
    """Source files side by side in one folder."""
    counted = collections.Counter(
        pathlib.PurePosixPath(path).parent.as_posix() for path in tree.files if path.endswith(SOURCES) and ours(path)
    )
    for folder, count in sorted(counted.items()):
        if count > SIDE_BY_SIDE:
            yield f"{folder}: {count} source files side by side; at most {SIDE_BY_SIDE}: use folders"


def long_files(tree):
    for path in tree.glob("*/src/**/*.rs"):
        lines = tree.text(path).count("\n")
        if lines > LINES and not rust.is_test(path):
            yield f"{path}: {lines} lines; at most {LINES} outside tests"


def ours(path):
    return not path.startswith(NOT_OURS)


def main():
    for name, graph in graphs(Tree()):
        for circle in circles(graph):
            print(f"{name}: circle of {len(circle)} files")
            for (start, end), names in sorted(graph.items()):
                if start in circle and end in circle:
                    print(f"    {start} -> {end}: {', '.join(sorted(names))}")


if __name__ == "__main__":
    main()
