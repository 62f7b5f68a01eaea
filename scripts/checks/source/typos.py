"""typos finds no misspelling in code, comments and documents."""

import json

from ..tree import pinned, run


def check(tree):
    command = [pinned("typos"), "--config", tree.root / "typos.toml", "--format", "json", "."]
    code, text = run(command, cwd=tree.root)
    found = 0
    for line in text.splitlines():
        typo = json.loads(line) if line.startswith("{") else {"type": "error", "message": line}
        if typo["type"] == "typo":
            place = typo["path"].removeprefix("./") + (f":{typo['line_num']}" if "line_num" in typo else "")
            yield f"{place}: {typo['typo']} should be {' or '.join(typo['corrections']) or 'another word'} (typos)"
        elif typo["type"] != "binary_file":
            yield f"typos: {typo.get('message', line)}"
        found += 1
    if code and not found:
        yield f"typos: exit code {code}"
