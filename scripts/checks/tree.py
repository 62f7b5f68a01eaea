"""The repository as the checks read it: files, what kustomize builds, and what the programs say of themselves.

A check is a function that takes a Tree and yields one sentence per thing that is wrong: file or build, document,
field, and what is expected.
"""

import functools
import json
import os
import pathlib
import re
import shutil
import subprocess

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
ENGINES = ROOT / ".engines"
# A program's folder in a work tree that was built as `make test` builds it.
BINARIES = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "debug"
NAMESPACE = "vidp-production"
# The bare steps of the deployment guide, in its order: what their pods name must come with them. Others that a document
# tells to apply are added.
GUIDE = ["k8s/secrets", "k8s/mongodb", "k8s/deployments", "k8s/services", "k8s/ingress"]
# For clusters with the Prometheus operator.
MONITORING = "k8s/monitoring"
APPLY = re.compile(r"kubectl\b.* apply\b.*")
APPLIED = re.compile(r"(?:-f|--filename)[ =](k8s/[\w./-]+)")
NOT_OURS = {".git", ".engines", ".vidp", "target", "bench-out", "node_modules", "__pycache__"}


def tool(name):
    """A program of the PATH or of .engines."""
    found = shutil.which(name) or ENGINES / "bin" / name
    if not pathlib.Path(found).exists():
        raise FileNotFoundError(f"{name} is missing: run `python3 scripts/setup.py --checks`")
    return str(found)


def pinned(name):
    """A linter of .engines, in the version that engines.txt pins: another version finds other things."""
    path = ENGINES / "tools" / name
    if not path.exists():
        raise FileNotFoundError(f"{name} is missing: run `python3 scripts/setup.py --checks`")
    return str(path)


def run(command, **options):
    """Runs a program; returns its exit code and its output, standard error included."""
    done = subprocess.run(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )
    return done.returncode, done.stdout.strip()


class Tree:
    def __init__(self, root=ROOT):
        self.root = pathlib.Path(root)

    def text(self, path):
        return (self.root / path).read_text()

    def exists(self, path):
        return (self.root / path).exists()

    @functools.cached_property
    def files(self):
        """All files by their paths from the root, without folders of builds and tools."""
        found = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = sorted(set(folders) - NOT_OURS)
            found.extend(pathlib.Path(folder, name).relative_to(self.root).as_posix() for name in sorted(names))
        return found

    def glob(self, *patterns):
        """Paths from the root; `*` stays within a folder and `**/` is any depth."""
        parts = {"**/": "(?:.*/)?", "*": "[^/]*"}
        wanted = [
            "".join(parts.get(part, re.escape(part)) for part in re.split(r"(\*\*/|\*)", pattern))
            for pattern in patterns
        ]
        return [path for path in self.files if any(re.fullmatch(one, path) for one in wanted)]

    def yaml(self, path):
        return [document for document in yaml.safe_load_all(self.text(path)) if document is not None]

    @functools.cached_property
    def packages(self):
        """The crates of the workspace, as cargo describes them."""
        command = ["cargo", "metadata", "--no-deps", "--format-version", "1", "--offline", "--locked"]
        done = subprocess.run(command, cwd=self.root, stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout)["packages"]

    @functools.cached_property
    def guide(self):
        """Folders applied by `kubectl apply -f`, in the order in which the documents name them."""
        told = [
            folder.rstrip("/.")
            for path in self.glob("README.md", "docs/*.md", "k8s/*.md")
            for command in APPLY.findall(self.text(path))
            for folder in APPLIED.findall(command)
        ]
        return list(dict.fromkeys([*told, *GUIDE]))

    @functools.cached_property
    def overlays(self):
        found = self.glob("k8s/kustomization.yaml", "k8s/overlays/*/kustomization.yaml")
        return sorted((str(pathlib.Path(path).parent) for path in found), key=len)

    @functools.cached_property
    def kustomized(self):
        """What kustomize said of each overlay, and of the monitoring: exit code and text."""
        folders = [*self.overlays, MONITORING]
        return {folder: run([tool("kubectl"), "kustomize", self.root / folder]) for folder in folders}

    @functools.cached_property
    def builds(self):
        """Documents of each overlay."""
        return {folder: self.built(folder) for folder in self.overlays}

    def built(self, folder):
        code, text = self.kustomized[folder]
        if code:  # No check may pass because there was nothing to look at.
            raise RuntimeError(f"{folder} does not build: {text}")
        return [document for document in yaml.safe_load_all(text) if document is not None]

    @functools.cached_property
    def monitoring(self):
        """Documents for the Prometheus operator, which not every cluster has."""
        return self.built(MONITORING)

    @functools.cached_property
    def everything(self):
        """What can be applied: each build, the guide's folders, its bare steps, the base with the monitoring."""
        base = self.builds.get("k8s", [])
        monitored = [*base, *(document for document in self.monitoring if document not in base)]
        guide = {"the guide's folders": self.together(self.guide), "the guide's bare steps": self.together(GUIDE)}
        return {**self.builds, **guide, f"k8s and {MONITORING}": monitored}

    def together(self, folders):
        """Documents of several folders, once each: a link in one to a file of another is the same file."""
        paths = {(self.root / path).resolve(): path for folder in folders for path in self.applied(folder)}
        return [document for path in paths.values() for document in self.yaml(path)]

    def applied(self, folder):
        """The files that `kubectl apply -f FOLDER` reads; FOLDER may be a file."""
        if not (self.root / folder).is_dir():
            return [folder] if self.exists(folder) else []
        return self.glob(*(f"{folder}/*.{ending}" for ending in ("yaml", "yml", "json")))


def title(document):
    return f"{document.get('kind', '?')}/{(document.get('metadata') or {}).get('name', '?')}"


def kinds(documents, *wanted):
    return [document for document in documents if document.get("kind") in wanted]


def pods(documents):
    """Each document that makes pods, with the pod's template."""
    for document in documents:
        spec = document.get("spec") or {}
        if document.get("kind") == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        if "template" in spec and "containers" in spec["template"].get("spec", {}):
            yield document, spec["template"]


def containers(template):
    return [*template["spec"].get("initContainers", []), *template["spec"]["containers"]]
