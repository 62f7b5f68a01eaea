"""The import graph of Python programs: which file imports which other file of the same folder."""

import ast
import pathlib


def edges(tree, folder):
    """{(importing file, imported file): names}. A file in a package is no importer of the package's `__init__.py`."""
    files = set(tree.glob(f"{folder}/**/*.py"))
    found = {}
    for path in sorted(files):
        for name, target in imports(path, ast.parse(tree.text(path)), folder, files):
            if target != path:
                found.setdefault((path, target), set()).add(name)
    return found


def imports(path, module, folder, files):
    here = pathlib.PurePosixPath(path).parent
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            wanted = [(root, alias.name.split("."), None) for alias in node.names for root in (here, folder)]
        elif isinstance(node, ast.ImportFrom):
            roots = [here.parents[node.level - 2] if node.level > 1 else here] if node.level else [here, folder]
            base = node.module.split(".") if node.module else []
            wanted = [(root, base, alias.name) for alias in node.names for root in roots]
        else:
            continue
        for root, parts, name in wanted:
            target = file_of(pathlib.PurePosixPath(root, *parts), name, files)
            if target:
                yield ".".join([*parts, *([name] if name else [])]), target


def file_of(place, name, files):
    candidates = [place / f"{name}.py", place / name / "__init__.py"] if name else []
    candidates += [place.with_suffix(".py") if place.name else place, place / "__init__.py"]
    return next((path.as_posix() for path in candidates if path.as_posix() in files), None)
