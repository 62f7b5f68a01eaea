"""Third-party scripts in the repository have the SHA-256 that the README of their folder names."""

import hashlib
import pathlib
import re

# A script that is not ours. Files of the page and of MongoDB's start are ours.
VENDORED = ("web/vendor/*.js", "web/vendor/*.mjs", "**/*.min.js")
HASH = re.compile(r"\b[0-9a-f]{64}\b")


def check(tree):
    files = sorted(set(tree.glob(*VENDORED)))
    if not files:
        yield "no third-party script was found"
    for path in files:
        readme = pathlib.PurePosixPath(path).with_name("README.md").as_posix()
        found = hashlib.sha256(tree.data(path)).hexdigest()
        if not tree.exists(readme) or found not in HASH.findall(tree.text(readme)):
            yield f"{path}: its SHA-256 {found} is not in {readme}: compare it with its package"
