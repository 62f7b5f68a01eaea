"""Every variable in the documents is read by a program or used by the Compose file."""

import re

from .. import programs
from ..compose import variables

NAME = re.compile(r"\b(?:VIDP|OTEL)_[A-Z0-9_]+")
STREAM = re.compile(r'&str = "(VIDP_\w+)"')
# `vidp up` finds its engines by variables that have no option.
READ = re.compile(r'var_os\("(VIDP_\w+)"\)')
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "docs/*.md")
STREAMS = "contract/src/streams.rs"
ENGINES = "engines/src/find.rs"


def check(tree):
    known = set(STREAM.findall(tree.text(STREAMS))) | set(READ.findall(tree.text(ENGINES)))
    known |= set(variables.sample(tree))
    for name, _ in programs.images(tree).values():
        known |= set(programs.program(name).env)
    for path in tree.glob(*DOCUMENTS):
        for name in sorted(set(NAME.findall(tree.text(path))) - known):
            # `VIDP_MAX_*` and `VIDP_S3_…` stand for several variables.
            if not (name.endswith("_") and any(one.startswith(name) for one in known)):
                yield f"{path}: {name}: no program reads it"
