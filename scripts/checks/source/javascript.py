"""biome finds nothing wrong in the page's JavaScript and CSS, and has nothing to format (web/biome.json)."""

from ..tree import ENGINES, run

BIOME = ENGINES / "npm" / "node_modules" / ".bin" / "biome"


def check(tree):
    if not BIOME.exists():
        raise FileNotFoundError(f"{BIOME} is missing: run `python3 scripts/setup.py --checks`")
    code, text = run([BIOME, "ci", "--colors=off", "--reporter=github"], cwd=tree.root / "web")
    if code:
        yield from (f"web: {line} (biome)" for line in text.splitlines() if line.strip())
