"""Comments and documents use plain words: the riddling ones stay below a limit that only falls.

Reads the prose of Rust, Python, JavaScript, CSS, YAML, shell, Make and TOML files, and of Markdown outside code. Text
in `backticks` does not count, so that a style guide can quote what it forbids. Every hit in these paths:

    python3 scripts/checks/source/words.py [PATH…]
"""

import pathlib
import re
import sys

if __package__:
    from . import prose
else:
    import prose

# Riddling words per 1,000 words of prose. This number only falls; the goal is 1.0.
LIMIT = 0.4
# The limit follows the measured value down: more than this below it, and it has to be lowered.
SLACK = 0.3
WORST = 20

PHRASES = [
    "nobody", "somebody", "someone", "everybody", "anybody", "whoever", "whatever", "whichever", "anew", "told",
    "tell of", "goes on", "go on", "went on", "of it", "of them", "of its own", "of their own", "no good", "any more",
    "as it is", "as they are", "as good", "comes to", "come to", "by and by", "is to be", "are to be", "such a",
    "of old", "so many", "so long", "as it were",
]  # fmt: skip
# Longest first, so that a phrase is counted once.
RIDDLE = re.compile(
    r"\b(?:" + "|".join(sorted((one.replace(" ", r"\s+") for one in PHRASES), key=len, reverse=True)) + r")\b",
    re.IGNORECASE,
)
# A sentence that opens with one of these hides its subject. Questions are exempt, and so are clauses before a comma:
# "Where a claim expires, …".
OPENING = re.compile(
    r"(?:^[\s>#|*+-]*(?:\d+[.)]\s)?|(?<=[.!?])\s+|\|\s*)[*_]*"
    r"(?P<word>Who|What|Whose|Of|Whether|Where)\b(?P<rest>[^.!?]*[.!?]?)"
)
WORD = re.compile(r"[^\W\d_](?:[\w'’-]*\w)?")
CODE = re.compile(r"`+[^`]*`+")
LINK = re.compile(r"\]\([^)]*\)|\bhttps?://\S+")
# Other people's files, and files that a program writes.
NOT_OURS = ("/web/vendor/", "/docs/openapi.json", "/LICENSE")
FOLDERS = {".git", ".engines", ".vidp", "target", "bench-out", "node_modules", "__pycache__"}


def measure(path, text):
    """The number of words of prose in a file, and its hits as (line number, words)."""
    total, hits = 0, []
    for block in prose.blocks(path, text):
        joined, starts = "", []
        for number, line in block:
            starts.append((len(joined), number))
            joined += line.rstrip() + "\n"
        joined = blank(CODE, blank(LINK, joined))
        total += len(WORD.findall(joined))
        for start, word in sorted(riddles(joined)):
            hits.append((max(number for at, number in starts if at <= start), word))
    return total, hits


def blank(pattern, text):
    """Replaces code and addresses by characters that are not words, at the same length."""
    return pattern.sub(lambda found: re.sub(r"[^\n]", "·", found[0]), text)


def riddles(text):
    """Where the riddling words are in a paragraph: (offset, words)."""
    for found in RIDDLE.finditer(text):
        yield found.start(), " ".join(found[0].split())
    for found in OPENING.finditer(text):
        rest = found["rest"]
        if rest.endswith("?") or (found["word"] in ("Where", "Whether", "Of") and "," in rest):
            continue
        yield found.start("word"), f"{found['word']} … (opens a sentence)"


def survey(files):
    """Returns the rate per 1,000 words over (path, text), the number of words, and the hits of each file."""
    total, found = 0, {}
    for path, text in files:
        words, hits = measure(path, text)
        total += words
        if hits:
            found[path] = hits
    count = sum(len(hits) for hits in found.values())
    return 1000 * count / max(total, 1), total, found


def wanted(path):
    return prose.has(path) and not any(one in f"/{path}" for one in NOT_OURS)


def check(tree, limit=LIMIT):
    rate, total, found = survey((path, tree.text(path)) for path in tree.files if wanted(path))
    measured = f"words: {rate:.2f} riddling words per 1,000"
    if not total:
        yield "words: no prose was found"
    elif rate > limit:
        yield f"{measured}, and the limit is {limit}: `python3 scripts/checks/source/words.py` lists them"
        worst = sorted(found.items(), key=lambda one: -len(one[1]))[:WORST]
        yield from (f"{path}:{number} {word}" for path, hits in worst for number, word in hits)
    elif rate < limit - SLACK:
        yield f"{measured}: lower LIMIT in scripts/checks/source/words.py from {limit} to {rate + 0.05:.1f}"


def main(paths):
    files = []
    for path in map(pathlib.Path, paths or ["."]):
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        files += [one for one in inside if one.is_file() and not FOLDERS & set(one.parts) and wanted(one.as_posix())]
    rate, total, found = survey((path.as_posix(), path.read_text()) for path in files)
    for path, hits in found.items():
        for number, word in hits:
            print(f"{path}:{number}: {word}")
    print(f"{sum(map(len, found.values()))} hits in {total} words: {rate:.2f} per 1,000")


if __name__ == "__main__":
    main(sys.argv[1:])
