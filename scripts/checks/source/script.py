"""The import graph of the page's JavaScript modules."""

import posixpath
import re

IMPORT = re.compile(
    r"""^\s*(?:import|export)\b[^;"']*?\bfrom\s*["'](\.[^"']+)["']|^\s*import\s*["'](\.[^"']+)["']""", re.MULTILINE
)


def edges(tree, folder):
    """{(importing file, imported file): names}."""
    files = set(tree.glob(f"{folder}/**/*.js"))
    found = {}
    for path in sorted(files):
        for one in IMPORT.finditer(tree.text(path)):
            name = one[1] or one[2]
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
            if target in files and target != path:
                found.setdefault((path, target), set()).add(name)
    return found
