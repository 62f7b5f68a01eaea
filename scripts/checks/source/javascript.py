"""biome finds nothing wrong in the page's JavaScript and CSS, and has nothing to format (web/biome.json)."""

import os
import re

from ..tree import ENGINES, run

BIOME = ENGINES / "npm" / "node_modules" / ".bin" / "biome"
FOUND = re.compile(
    r"^::(?:error|warning) title=(?P<rule>[^,]*),file=(?P<file>[^,]+),line=(?P<line>\d+).*?::(?P<text>.*)$"
)


def check(tree):
    if not BIOME.exists():
        raise FileNotFoundError(f"{BIOME} is missing: run `python3 scripts/setup.py --checks`")
    web = tree.root / "web"
    code, text = run([BIOME, "ci", "--colors=off", "--reporter=github", "--max-diagnostics=none"], cwd=web)
    if not code:
        return
    found = [one for one in map(FOUND.match, text.splitlines()) if one]
    for one in found:
        path = os.path.relpath(web / one["file"], tree.root)
        yield f"{path}:{one['line']}: {one['text']} ({one['rule']}, biome)"
    if not found:
        yield f"web: {text[-2000:]} (biome)"
