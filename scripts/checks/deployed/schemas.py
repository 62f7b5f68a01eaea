"""Every document matches its published schema; unknown fields are an error."""

import functools
import json
import re

import kubernetes_validate

from ..tree import title
from . import quantities, resources

# The second version is the oldest supported one.
VERSIONS = re.compile(r"Kubernetes (1\.\d+)(?: \((1\.\d+) or newer)?")


def check(tree):
    versions = kubernetes_versions(tree)
    if not versions:
        yield "README.md: it names no version (`Kubernetes 1.NN`), so the schemas are unknown"
        return
    for build, documents in tree.everything.items():
        if not documents:
            yield f"{build}: no documents"
        for document in documents:
            text = json.dumps(document, sort_keys=True, default=str)
            for version in versions:
                for problem in verdict(text, version):
                    yield f"{build}: {title(document)}: {problem} (Kubernetes {version})"


def kubernetes_versions(tree):
    for path in ("README.md", "docs/kubernetes.md"):
        found = VERSIONS.search(tree.text(path)) if tree.exists(path) else None
        if found:
            return [version for version in found.groups() if version]
    return []


@functools.cache  # Overlays repeat most documents of the base.
def verdict(text, version):
    return tuple(problems(json.loads(text), version))


def problems(document, version):
    if document.get("kind") != "ConfigMap":
        yield from quantities.problems(document)
    if (document.get("apiVersion"), document.get("kind")) in resources.PUBLISHED:
        yield from resources.problems(document, version)
        return
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        yield f"{'.'.join(str(part) for part in error.path) or 'document'}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError:
        yield f"unknown kind {document.get('apiVersion')} {document.get('kind')}"
    except kubernetes_validate.VersionNotSupportedError:
        yield "kubernetes-validate has no schemas of this version"
