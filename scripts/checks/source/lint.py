"""yamllint accepts every YAML file, hadolint the Dockerfile, and `sh -n` every shell script."""

import sys

from ..tree import run, tool

YAML = ("**/*.yml", "**/*.yaml", "**/Kustomization")
SHELL = ("deploy/**/*.sh", "k8s/**/*.sh", "scripts/**/*.sh", ".ci/run")


def check(tree):
    files = tree.glob(*YAML)
    if not files:
        yield "no YAML file was found"
    command = [sys.executable, "-m", "yamllint", "--strict", "--format", "parsable", "-c", tree.root / ".yamllint.yml"]
    code, text = run([*command, *files], cwd=tree.root)
    yield from complaints("yamllint", code, text)
    if not tree.exists("Dockerfile"):
        yield "Dockerfile: not found"
        return
    code, text = run([tool("hadolint"), "--config", ".hadolint.yaml", "--no-color", "Dockerfile"], cwd=tree.root)
    yield from complaints("hadolint", code, text)
    for path in tree.glob(*SHELL):
        shell = "bash" if "bash" in tree.text(path).partition("\n")[0] else "sh"
        code, text = run([shell, "-n", path], cwd=tree.root)
        yield from complaints(f"{shell} -n", code, text)


def complaints(name, code, text):
    if code or text:
        yield from (f"{line} ({name})" for line in text.splitlines() or [f"exit code {code}"])
