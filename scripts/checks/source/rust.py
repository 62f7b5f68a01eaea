"""The import graph of one crate: which source file uses names that another file defines.

An edge leads to the file that defines the name. Re-exports are followed: `use crate::sweep::delete` is an edge to
`sweep/objects.rs` when `sweep.rs` has `pub use objects::delete`. A name that a child uses from its parent is an edge
like any other. No edges: `mod child;`, a re-export that the file itself does not use, and code under `#[cfg(test)]`,
which may use everything. Calls of methods are not followed, because they name no file.
"""

import dataclasses
import functools
import pathlib
import re

# Comments and literals become spaces; a path in a string, as in `#[serde(with = "crate::hex")]`, stays.
LITERAL = re.compile(
    r"""//[^\n]*|/\*.*?\*/|b?r(?P<hashes>\#*)".*?"(?P=hashes)|b?"(?:\\.|[^"\\])*"|b?'(?:\\[^\n]{1,9}?|[^'\\\n])'""",
    re.DOTALL,
)
PATH_IN_STRING = re.compile(r'"((?:crate|super)(?:::\w+)+)"')
CFG_TEST = re.compile(r"#\[cfg\((?:all\()?test\b[^\]]*\]\s*(?:#\[[^\]]*\]\s*)*")
INLINE = re.compile(r"\bmod\s+(\w+)\s*\{")
CHILD = re.compile(r"\bmod\s+(?:r#)?(\w+)\s*;")
USE = re.compile(r"(?P<public>\bpub(?:\([^)]*\))?\s+)?\buse\s+(?P<tree>[^;]+);")
PATH = re.compile(r"(?<![\w:$'#])(?:\$?crate|super|self|\w+)(?:\s*::\s*\w+)+")
DEFINED = re.compile(r"\b(?:fn|struct|enum|union|trait|type|const|static|mod|macro_rules!)\s+(?:mut\s+)?(?:r#)?(\w+)")
TEST_NAMES = {"tests", "interleavings"}


@dataclasses.dataclass
class Import:
    """One leaf of a `use`: `name` is what the file calls it, `*` for a glob."""

    module: tuple
    path: tuple
    name: str
    public: bool


class File:
    def __init__(self, path, module, text):
        self.path, self.module = path, module
        self.code = without_tests(LITERAL.sub(blank, text))
        self.inline = [(found.end(), closing(self.code, found.end()), found[1]) for found in INLINE.finditer(self.code)]
        self.children = set(CHILD.findall(self.code)) | {name for _, _, name in self.inline}
        self.imports = [
            Import(self.context(use.start()), path, name, bool(use["public"]))
            for use in USE.finditer(self.code)
            for path, name in leaves(use["tree"])
        ]
        self.body = USE.sub(spaces, self.code)
        self.defined = set(DEFINED.findall(self.body))

    def context(self, position):
        """The module of a position: the file's own, and the inline modules around it."""
        return self.module + tuple(name for start, end, name in self.inline if start <= position < end)

    @functools.cached_property
    def paths(self):
        """Paths outside `use`, as (module, segments)."""
        return {
            (self.context(found.start()), tuple(re.split(r"\s*::\s*", found[0].lstrip("$"))))
            for found in PATH.finditer(self.body)
        }

    def mentions(self, name):
        return re.search(rf"\b{name}\b", self.body) is not None


class Crate:
    """The files of a `src` folder that belong to one crate root."""

    def __init__(self, files):
        self.files = {file.module: file for file in files}
        self.modules = {
            file.module + inside for file in files for inside in [(), *((name,) for _, _, name in file.inline)]
        }

    def edges(self):
        """{(using file, defining file): names}."""
        found = {}
        for file in self.files.values():
            for name, target in self.uses(file):
                if target is not None and target is not file:
                    found.setdefault((file.path, target.path), set()).add(name)
        return found

    def uses(self, file):
        for one in file.imports:
            path = self.absolute(one.module, one.path, file)
            if path is None:
                continue
            if one.name != "*" and path in self.modules:
                # A module by itself says nothing yet: the paths that begin with it do, below.
                continue
            if one.public and (one.name == "*" or not file.mentions(one.name)):
                continue
            yield "::".join(path), self.definer(path)
        names = {one.name: one for one in file.imports}
        for module, segments in file.paths:
            if segments[0] in names:
                one = names[segments[0]]
                base = self.absolute(one.module, one.path, file)
                path = base + segments[1:] if base in self.modules else None
            else:
                path = self.absolute(module, segments, file)
            if path is not None:
                yield "::".join(path), self.definer(path)

    def absolute(self, module, segments, file):
        """The path from the crate's root; None for a path into another crate."""
        first, rest = segments[0], tuple(segments[1:])
        if first == "crate":
            return rest
        if first == "self":
            return module + rest
        if first == "super":
            while segments and segments[0] == "super":
                module, segments = module[:-1], segments[1:]
            return module + tuple(segments)
        # In the module itself: a child, or what another `use` of the file brought.
        return module + tuple(segments) if (*module, first) in self.modules else None

    def definer(self, path, seen=()):
        """The file that defines the first name of a path that is not a module."""
        depth = 0
        while depth < len(path) and path[: depth + 1] in self.modules:
            depth += 1
        module, name = path[:depth], path[depth] if depth < len(path) else None
        while module not in self.files and module:
            module = module[:-1]
        file = self.files.get(module)
        if file is None or name in (None, "*") or (module, name) in seen:
            return file
        seen = (*seen, (module, name))
        for one in file.imports:
            if one.name == name and (target := self.absolute(one.module, one.path, file)) is not None:
                return self.definer(target + path[depth + 1 :], seen)
        if name in file.defined:
            return file
        for one in file.imports:
            target = self.absolute(one.module, one.path, file) if one.name == "*" else None
            if target is not None:
                other = self.definer((*target[:-1], name), seen)
                if other is not None and name in other.defined:
                    return other
        # `#[macro_export]` puts a macro at the root.
        macro = re.compile(rf"\bmacro_rules!\s+{name}\b")
        return next((other for other in self.files.values() if macro.search(other.body)), file)


def crates(tree, folder):
    """The crates of a package: the library, or the program when there is no library."""
    root = f"{folder}/src"
    paths = [path for path in tree.glob(f"{root}/**/*.rs") if not is_test(path)]
    both = {f"{root}/lib.rs", f"{root}/main.rs"} <= set(paths)
    # A program beside a library imports it by its name, and nothing imports the program.
    files = [
        File(path, module_of(path, root), tree.text(path)) for path in paths if not (both and path == f"{root}/main.rs")
    ]
    return Crate(files)


def module_of(path, root):
    parts = pathlib.PurePosixPath(path).relative_to(root).with_suffix("").parts
    return parts[:-1] if parts[-1] == "mod" or parts in (("lib",), ("main",)) else parts


def is_test(path):
    parts = pathlib.PurePosixPath(path).with_suffix("").parts
    return bool(TEST_NAMES & set(parts))


def blank(found):
    """Spaces for a comment or a literal, so that positions stay; a string's path is code."""
    if path := PATH_IN_STRING.fullmatch(found[0]):
        return f" {path[1]} "
    return spaces(found)


def spaces(found):
    return re.sub(r"[^\n]", " ", found[0])


def without_tests(code):
    """Blanks each item under `#[cfg(test)]`: to its closing brace, or to its semicolon."""
    for found in CFG_TEST.finditer(code):
        brace, semicolon = code.find("{", found.end()), code.find(";", found.end())
        if semicolon != -1 and (brace == -1 or semicolon < brace or code[found.end() :].lstrip().startswith("use ")):
            end = semicolon + 1
        else:
            end = closing(code, brace + 1)
        code = code[: found.start()] + re.sub(r"[^\n]", " ", code[found.start() : end]) + code[end:]
    return code


def closing(code, position):
    """The position after the brace that closes what was opened just before `position`."""
    depth = 1
    while depth and position < len(code):
        depth += {"{": 1, "}": -1}.get(code[position], 0)
        position += 1
    return position


def leaves(tree, prefix=()):
    """Flattens the tree of a `use`: (path, name in the file)."""
    tree = tree.strip()
    head, brace, inside = tree.partition("{")
    if brace:
        prefix += tuple(part.strip() for part in head.split("::") if part.strip())
        for part in split(inside.rstrip()[:-1]):
            yield from leaves(part, prefix)
        return
    path, _, alias = (part.strip() for part in tree.partition(" as "))
    segments = prefix + tuple(part.strip().removeprefix("r#") for part in path.split("::") if part.strip())
    if segments and segments[-1] == "self" and len(segments) > 1:
        segments = segments[:-1]
    if segments:
        yield segments, alias or segments[-1]


def split(text):
    """The parts between the commas outside braces."""
    depth, part = 0, ""
    for character in text:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "," and depth == 0:
            yield part
            part = ""
        else:
            part += character
    if part.strip():
        yield part
