"""Every file and every test that the documents name exists.

A path counts when it begins with a folder of the root and ends in a known file type or in a slash. A test counts by its
name alone: a function of four words or more.
"""

import re

DOCUMENTS = ("*.md", "docs/**/*.md")
# Reports of past runs and changes name the files of their time.
PAST = ("CHANGELOG.md", "docs/reliability/runs.md")
QUOTED = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)+\.(?:rs|py|sh|js|json|ya?ml|toml|md|conf|txt)|[\w.-]+(?:/[\w.-]+)*/")
TEST = re.compile(r"[a-z]+(?:_[a-z0-9]+){3,}")
FUNCTION = re.compile(r"\b(?:fn|def) (\w+)")
# Fields, settings and metrics have such names too, and stand in these files.
FIELDS = (".rs", ".py", ".json", ".yaml", ".yml", ".toml")


def check(tree):
    files = set(tree.files)
    folders = {path[: at + 1] for path in files for at, letter in enumerate(path) if letter == "/"}
    roots = {folder for folder in folders if folder.count("/") == 1}
    sources = [path for path in files if path.endswith((".rs", ".py"))]
    functions = {name for path in sources for name in FUNCTION.findall(tree.text(path))}
    for document in tree.glob(*DOCUMENTS):
        if document in PAST:
            continue
        for quoted in dict.fromkeys(QUOTED.findall(tree.text(document))):
            if PATH.fullmatch(quoted) and quoted.split("/")[0] + "/" in roots and quoted not in files | folders:
                yield f"{document}: {quoted}: no such file or folder"
            elif TEST.fullmatch(quoted) and quoted not in functions and not known_word(tree, quoted):
                yield f"{document}: {quoted}: no such test or function"


def known_word(tree, name):
    return any(name in tree.text(path) for path in tree.files if path.endswith(FIELDS))
