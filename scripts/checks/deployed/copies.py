"""Files that Compose mounts are equal to the same files in Kubernetes' ConfigMaps."""

import pathlib

from ..tree import kinds

# Compose mounts the file; Kubernetes has its text in a ConfigMap under the same name. `kubectl apply -f` takes no
# generator, so there are two copies, and this check.
FOLDERS = ("deploy/nats", "deploy/mongodb")
# One server and three are configured differently.
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
            yield f"{path}: no ConfigMap of k8s has {name}"
        elif path not in OWN and text != tree.text(path):
            yield f"{path}: {where} in k8s has another text under {name}{first_difference(tree.text(path), text)}"


def first_difference(one, other):
    for number, (left, right) in enumerate(zip(one.splitlines(), other.splitlines()), start=1):
        if left != right:
            return f", from line {number} on: {right.strip()!r}"
    return ", longer or shorter"
