"""Files that Compose mounts are identical in the ConfigMaps of Kubernetes."""

import pathlib

from ..tree import kinds

# Compose mounts a file; Kubernetes has the text in a ConfigMap under the same name. `kubectl apply -f` cannot generate
# a ConfigMap from a file, so the repository has two copies.
FOLDERS = ("deploy/nats", "deploy/mongodb", "deploy/s3")
# The configurations of one server and of three servers differ.
OWN = {"deploy/nats/nats.conf"}


def check(tree):
    files = tree.glob(*(f"{folder}/*" for folder in FOLDERS))
    if not files:
        yield f"{' and '.join(FOLDERS)}: no files"
    maps = {
        key: (f"ConfigMap/{document['metadata']['name']}", text)
        for document in kinds(tree.builds.get("k8s", []), "ConfigMap")
        for key, text in (document.get("data") or {}).items()
    }
    for path in files:
        name = pathlib.Path(path).name
        where, text = maps.get(name, (None, None))
        if where is None:
            yield f"{path}: no ConfigMap of k8s has the key {name}"
        elif path not in OWN and text != tree.text(path):
            yield f"{path}: {where} in k8s has a different text under {name}{first_difference(tree.text(path), text)}"


def first_difference(one, other):
    for number, (left, right) in enumerate(zip(one.splitlines(), other.splitlines()), start=1):
        if left != right:
            return f", from line {number}: {right.strip()!r}"
    return ": one is longer"
