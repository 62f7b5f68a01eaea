"""Extracts the prose of a source file: comments, docstrings and Markdown text, without code.

`blocks(path, text)` yields blocks, and a block is a list of (line number, text). A block is one paragraph, so that a
phrase is found that is broken over two lines.
"""

import ast
import functools
import io
import pathlib
import re
import tokenize

# The alternatives before the comments skip literals, in which `//` and `#` are not comments.
RUST = re.compile(
    r"""b?r(?P<hashes>\#*)".*?"(?P=hashes) | b?"(?:\\.|[^"\\])*" | b?'(?:\\[^\n]{1,9}?|[^'\\\n])'
      | (?P<comment>//[^\n]*|/\*.*?\*/)""",
    re.DOTALL | re.VERBOSE,
)
SCRIPT = re.compile(
    r""""(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' | `(?:\\.|[^`\\])*`
      | [(,=:\[!&|?{};]\s*/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n])+/
      | (?P<comment>//[^\n]*|/\*.*?\*/)""",
    re.DOTALL | re.VERBOSE,
)
STYLE = re.compile(r"(?P<comment>/\*.*?\*/)", re.DOTALL)
PAGE = re.compile(r"(?P<comment><!--.*?-->)", re.DOTALL)
HASH = re.compile(r"""^(?P<before>(?:[^"'\#]|(?<!\s)\#|"[^"]*"|'[^']*')*?)(?:^|(?<=\s))\#+(?P<comment>[^!].*)$""")
MARKER = re.compile(r"^\s*(?:///?|//!|/\*+|<!--|\*(?!\*))|(?:\*+/|-->)\s*$")
# A new paragraph, list item, heading or table row begins.
OPENS = re.compile(r"^\s*(?:[-*+]\s|\d+[.)]\s|\#|\||>)")
FENCE = re.compile(r"^\s*(?:```|~~~)")

HASHES = {".yml", ".yaml", ".sh", ".toml", ".conf", ".txt", ".example", ".gitignore"}
HASH_NAMES = {"Makefile", "Dockerfile", "Kustomization", "run", ".dockerignore", ".gitignore"}


def blocks(path, text):
    """The blocks of a file; none for a kind of file that has no prose."""
    if reader := reader_of(path):
        yield from paragraphs(reader(text))


def has(path):
    return reader_of(path) is not None


def reader_of(path):
    name, ending = pathlib.PurePath(path).name, pathlib.PurePath(path).suffix
    if ending in HASHES or name in HASH_NAMES:
        return hashes
    return READERS.get(ending)


def paragraphs(lines):
    """Groups neighbouring lines; a blank line, a gap, a list item and a fenced code block end a group."""
    block, last, fenced = [], None, False
    for number, line in lines:
        if FENCE.match(line):
            fenced = not fenced
            line = ""
        elif last is not None and number > last + 1:
            fenced = False
        if block and (number != last + 1 or fenced or not line.strip() or OPENS.match(line)):
            yield block
            block = []
        if line.strip() and not fenced:
            block.append((number, line))
        last = number
    if block:
        yield block


def commented(pattern, text):
    for found in pattern.finditer(text):
        if found["comment"] is None:
            continue
        first = text.count("\n", 0, found.start()) + 1
        for offset, line in enumerate(found["comment"].split("\n")):
            yield first + offset, MARKER.sub("", line)


def hashes(text):
    for number, line in enumerate(text.splitlines(), start=1):
        if found := HASH.match(line):
            yield number, found["comment"]
        elif line.strip() == "#":
            yield number, ""


def python(text):
    found = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and not token.string.startswith("#!"):
            found.append((token.start[0], token.string.lstrip("#")))
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in (node for node in ast.walk(ast.parse(text)) if isinstance(node, kinds)):
        if ast.get_docstring(node) is not None:
            start = node.body[0].lineno
            found.extend((start + offset, line) for offset, line in enumerate(node.body[0].value.value.split("\n")))
    return sorted(found)


def markdown(text):
    text = re.sub(r"<!--.*?-->", lambda comment: "\n" * comment[0].count("\n"), text, flags=re.DOTALL)
    return enumerate(text.splitlines(), start=1)


READERS = {
    ".md": markdown,
    ".py": python,
    ".rs": functools.partial(commented, RUST),
    ".js": functools.partial(commented, SCRIPT),
    ".css": functools.partial(commented, STYLE),
    ".html": functools.partial(commented, PAGE),
    ".svg": functools.partial(commented, PAGE),
}
