"""Files that Compose mounts and ConfigMaps that carry the same text are equal; both NATS configurations are valid."""

import pathlib
import re
import tempfile

from .tree import kinds, run, tool

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
    included = tree.text("deploy/nats/auth.conf") if tree.exists("deploy/nats/auth.conf") else ""
    for where, text in (
        ("deploy/nats/nats.conf", tree.text("deploy/nats/nats.conf") if tree.exists("deploy/nats/nats.conf") else None),
        (f"k8s: {maps.get('nats.conf', ('',))[0]}", maps.get("nats.conf", (None, None))[1]),
    ):
        if text is not None:
            yield from (f"{where}: {problem}" for problem in nats(text, included))


def first_difference(one, other):
    for number, (left, right) in enumerate(zip(one.splitlines(), other.splitlines()), start=1):
        if left != right:
            return f", from line {number} on: {right.strip()!r}"
    return ", longer or shorter"


def nats(text, included):
    """nats-server's own test of a configuration; variables of the environment get a value."""
    names = set(re.findall(r"(?<![\w\"])\$([A-Z][A-Z_]+)\b", text + included))
    with tempfile.TemporaryDirectory() as folder:
        # The store's folder would be made by the test.
        text = re.sub(r"store_dir:.*", f'store_dir: "{folder}/data"', text)
        pathlib.Path(folder, "nats.conf").write_text(text)
        pathlib.Path(folder, "auth.conf").write_text(included)
        code, said = run(
            [tool("nats-server"), "-t", "-c", f"{folder}/nats.conf"], env={name: "a1b2c3" for name in names}
        )
    if code:
        yield f"nats-server -t: {said}"
