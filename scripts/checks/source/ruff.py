"""ruff finds nothing wrong in the Python files, and has nothing to format."""

import re

from ..tree import pinned, run

UNFORMATTED = re.compile(r"^(\S+?):\d+:\d+: unformatted", re.MULTILINE)


def check(tree):
    config = ["--config", tree.root / "ruff.toml", "--no-cache"]
    code, text = run([pinned("ruff"), "check", "--quiet", "--output-format", "concise", *config, "."], cwd=tree.root)
    if code:
        yield from (f"{line} (ruff)" for line in text.splitlines() or [f"exit code {code}"])
    command = [pinned("ruff"), "format", "--check", "--output-format", "concise", *config, "."]
    code, text = run(command, cwd=tree.root)
    if code:
        paths = dict.fromkeys(UNFORMATTED.findall(text))
        yield from (f"{path}: run `.engines/tools/ruff format {path}` (ruff)" for path in paths)
        if not paths:
            yield f"ruff format: {text or f'exit code {code}'}"
