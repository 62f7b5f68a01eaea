#!/usr/bin/env python3
"""Make a bare machine ready to build, run and test VidP.

Installs the missing Debian packages, and downloads the engines and speech weights pinned in `engines.txt` into
`.engines/` (git-ignored). An engine that is already on the PATH is used instead of a downloaded one. When nothing is
missing, a run does nothing and takes a fraction of a second. `--checks` also installs the needs of `make check` and
`make test` (`install/checks.py`).

Needs Python 3.9 or newer, and no third-party module.
"""

import fcntl
import sys

from install import basics, debian, wheels
from install import checks as for_checks


def main(arguments):
    if arguments not in ([], ["--checks"]):
        basics.stop("usage: setup.py [--checks]")
    checks = for_checks if arguments else None
    basics.ENGINES.mkdir(exist_ok=True)
    with open(basics.ENGINES / "lock", "w") as lock:
        # Of two `make` at once, the second waits here and then finds everything installed.
        fcntl.flock(lock, fcntl.LOCK_EX)
        packages = wheels.to_fetch(wheels.WANTED)
        missing = debian.missing_packages(bool(packages or (checks and checks.to_fetch())), bool(checks))
        if missing:
            debian.install(missing)
        if packages:
            wheels.fetch(packages, wheels.WANTED)
        if checks:
            checks.main()
    if packages or missing:
        basics.say("done")


if __name__ == "__main__":
    main(sys.argv[1:])
