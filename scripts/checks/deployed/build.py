"""kustomize builds every overlay, and `kubectl apply -f` can read every folder of the guide."""

import collections
import json

from ..tree import NAMESPACE, title

# Kinds without a namespace.
CLUSTER = {"Namespace", "ClusterRole", "ClusterRoleBinding", "PriorityClass", "StorageClass", "APIService",
           "IngressClass", "ClusterTriggerAuthentication"}  # fmt: skip


def check(tree):
    if "k8s" not in tree.overlays or len(tree.overlays) < 2:
        yield "k8s: kustomization.yaml and at least one overlay in k8s/overlays/ are expected"
    for folder, (code, text) in tree.kustomized.items():
        if code:
            yield f"{folder}: kubectl kustomize fails: {text}"
    for folder in tree.guide:
        yield from folder_applies(tree, folder)
    if any(code for code, _ in tree.kustomized.values()):
        return
    for build, documents in tree.everything.items():
        yield from unique(build, documents)
    yield from overlays_differ(tree)


def folder_applies(tree, folder):
    files = tree.applied(folder)
    if not files:
        yield f"{folder}: the guide applies it, and kubectl finds no file in it"
    for path in files:
        if path.endswith(".json"):
            json.loads(tree.text(path))
        for number, document in enumerate(tree.yaml(path), start=1):
            yield from document_applies(f"{path}: document {number}", document)


def document_applies(where, document):
    if not isinstance(document, dict) or not document.get("apiVersion") or not document.get("kind"):
        yield f"{where}: apiVersion or kind is missing, so `kubectl apply -f` refuses the folder"
        return
    if document["kind"] in ("Kustomization", "Component"):
        yield f"{where}: `kubectl apply -f` cannot read a {document['kind']}; name the file `Kustomization`"
        return
    metadata = document.get("metadata") or {}
    if not metadata.get("name"):
        yield f"{where}: {title(document)}: metadata.name is missing"
    expected = None if document["kind"] in CLUSTER else NAMESPACE
    if metadata.get("namespace") != expected:
        yield f"{where}: {title(document)}: metadata.namespace is {metadata.get('namespace')}, expected {expected}"


def unique(build, documents):
    counted = collections.Counter(
        (document.get("apiVersion"), title(document), (document.get("metadata") or {}).get("namespace"))
        for document in documents
    )
    for (_, name, _), count in counted.items():
        if count > 1:
            yield f"{build}: {name} exists {count} times"


def overlays_differ(tree):
    """An overlay whose result equals the base has lost its patches."""
    base = tree.builds.get("k8s")
    for folder in tree.overlays:
        if folder != "k8s" and base and tree.builds.get(folder) == base:
            yield f"{folder}: its result equals that of k8s: its patches have no effect"
