"""The repository as the checks read it: files, crates, and the documents that kustomize builds.

A check is a function that accepts a Tree and yields one sentence per problem: file or build, document, field, and the
expected value.
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
# The programs, in the profile in which `make test` builds them.
BINARIES = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "debug"
NAMESPACE = "vidp-production"
# The steps of the deployment guide, in its order. Together they must have everything that their pods refer to. Further
# folders that a document applies are added.
GUIDE = ["k8s/secrets", "k8s/mongodb", "k8s/deployments", "k8s/services", "k8s/ingress"]
# For clusters with the Prometheus operator.
MONITORING = "k8s/monitoring"
APPLY = re.compile(r"kubectl\b.* apply\b.*")
APPLIED = re.compile(r"(?:-f|--filename)[ =](k8s/[\w./-]+)")
NOT_OURS = {".git", ".engines", ".vidp", "target", "bench-out", "node_modules", "__pycache__"}


def tool(name):
    """A program from the PATH, or from .engines when the PATH has none."""
    found = shutil.which(name) or ENGINES / "bin" / name
    if not pathlib.Path(found).exists():
        raise FileNotFoundError(f"{name} is missing: run `python3 scripts/setup.py --checks`")
    return str(found)


def pinned(name):
    """A linter from .engines in its pinned version, never from the PATH: versions report different problems."""
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

    def data(self, path):
        return (self.root / path).read_bytes()

    def exists(self, path):
        return (self.root / path).exists()

    @functools.cached_property
    def files(self):
        """Paths of all files from the root, without the folders of builds and tools."""
        found = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = sorted(set(folders) - NOT_OURS)
            found.extend(pathlib.Path(folder, name).relative_to(self.root).as_posix() for name in sorted(names))
        return found

    def glob(self, *patterns):
        """The matching paths. `*` stays within a folder, and `**/` matches any depth."""
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
        """Folders that the documents apply with `kubectl apply -f`, in the order of the documents."""
        named = [
            folder.rstrip("/.")
            for path in self.glob("README.md", "docs/*.md", "k8s/*.md")
            for command in APPLY.findall(self.text(path))
            for folder in APPLIED.findall(command)
        ]
        return list(dict.fromkeys([*named, *GUIDE]))

    @functools.cached_property
    def overlays(self):
        found = self.glob("k8s/kustomization.yaml", "k8s/overlays/*/kustomization.yaml")
        return sorted((str(pathlib.Path(path).parent) for path in found), key=len)

    @functools.cached_property
    def kustomized(self):
        """Exit code and output of kustomize for each overlay and for the monitoring."""
        folders = [*self.overlays, MONITORING]
        return {folder: run([tool("kubectl"), "kustomize", self.root / folder]) for folder in folders}

    @functools.cached_property
    def builds(self):
        """Documents of each overlay."""
        return {folder: self.built(folder) for folder in self.overlays}

    def built(self, folder):
        code, text = self.kustomized[folder]
        if code:  # A check must not pass because it had no documents to examine.
            raise RuntimeError(f"{folder} does not build: {text}")
        return [document for document in yaml.safe_load_all(text) if document is not None]

    @functools.cached_property
    def monitoring(self):
        """Documents for the Prometheus operator, which some clusters lack."""
        return self.built(MONITORING)

    @functools.cached_property
    def everything(self):
        """The sets of documents that a user can apply: builds, folders and steps of the guide, base and monitoring."""
        base = self.builds.get("k8s", [])
        monitored = [*base, *(document for document in self.monitoring if document not in base)]
        guide = {"the guide's folders": self.together(self.guide), "the guide's steps": self.together(GUIDE)}
        return {**self.builds, **guide, f"k8s and {MONITORING}": monitored}

    def together(self, folders):
        """Documents of several folders, each once: a symbolic link and its target are the same file."""
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
    """Each document that creates pods, with the pod's template."""
    for document in documents:
        spec = document.get("spec") or {}
        if document.get("kind") == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        if "template" in spec and "containers" in spec["template"].get("spec", {}):
            yield document, spec["template"]


def containers(template):
    return [*template["spec"].get("initContainers", []), *template["spec"]["containers"]]
