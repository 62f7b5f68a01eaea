"""Every document fits its published schema, unknown fields refused."""

import json
import re

import kubernetes_validate

from . import resources
from .tree import title

VERSION = re.compile(r"Kubernetes (1\.\d+)")


def check(tree):
    version = kubernetes_version(tree)
    if not version:
        yield "README.md: it names no version (`Kubernetes 1.NN`), so nothing can be validated"
        return
    seen = set()
    for build, documents in tree.everything.items():
        if not documents:
            yield f"{build}: no documents"
        for document in documents:
            text = json.dumps(document, sort_keys=True, default=str)
            if text not in seen:  # Overlays repeat most of the base.
                seen.add(text)
                yield from (f"{build}: {title(document)}: {problem}" for problem in one(document, version))


def kubernetes_version(tree):
    for path in ("README.md", "docs/kubernetes.md"):
        found = VERSION.search(tree.text(path)) if tree.exists(path) else None
        if found:
            return found.group(1)
    return None


def one(document, version):
    if (document.get("apiVersion"), document.get("kind")) in resources.PUBLISHED:
        yield from resources.problems(document, version)
        return
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        yield f"{'.'.join(str(part) for part in error.path) or 'document'}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError:
        yield f"there is no {document.get('apiVersion')} {document.get('kind')} in Kubernetes {version}"
    except kubernetes_validate.VersionNotSupportedError:
        yield f"kubernetes-validate has no schemas of Kubernetes {version}"
