"""The ingress, the HTTPRoute and the proxies of the guides publish what clients call."""

import json
import re

import yaml

from ..tree import kinds, title

OPENAPI = "docs/openapi.json"
GUIDE = "docs/kubernetes.md"
PROXIES = "docs/compose.md"
# Only the kubelet calls this. `/metrics` has a separate port.
PRIVATE = {"/ready"}
# Routes that the OpenAPI document leaves out: the pages, their files, and the further addresses of resumable uploads.
UNDESCRIBED = ["/", "/web/js/contract.js", "/embed/{grant}", "/files", "/files/", "/files/{id}", "/api/v1/files/"]
# The block of an nginx server, and its locations: `location /`, `location = /health`.
NGINX = re.compile(r"```nginx\n(.*?)```", re.DOTALL)
PREFIX = re.compile(r"X-Forwarded-Prefix\s+([^\s;]+);")
LOCATION = re.compile(r"^\s*location\s+(=\s*)?(/\S*)\s*\{", re.MULTILINE)


def check(tree):
    described = [*json.loads(tree.text(OPENAPI))["paths"], *UNDESCRIBED]
    for build, documents in tree.builds.items():
        for document in kinds(documents, "Ingress"):
            yield from problems(f"{build}: {title(document)}", described, of_ingress(document))
    for document in routes(tree):
        yield from problems(f"{GUIDE}: {title(document)}", described, of_route(document))
    for number, matches in enumerate(proxies(tree), 1):
        # These proxies stand before one host, where no kubelet has a separate port: `/ready` may be called.
        wanted = [path for path in described if path not in PRIVATE]
        yield from problems(f"{PROXIES}: nginx {number}", wanted, matches)


def problems(where, described, matches):
    for path in described:
        is_published = any(matched(path, *match) for match in matches)
        if path in PRIVATE and is_published:
            yield f"{where}: {path} is published, but only the cluster may call it"
        elif path not in PRIVATE and not is_published:
            yield f"{where}: {path} is not published, but {OPENAPI} or the page has it"


def proxies(tree):
    """The locations of each nginx block, without the path below which it publishes VidP."""
    for block in NGINX.findall(tree.text(PROXIES)):
        locations = [("Exact" if exact else "Prefix", path) for exact, path in LOCATION.findall(block)]
        prefix = PREFIX.search(block)
        base = prefix.group(1) if prefix else ""
        yield [(kind, path.removeprefix(base)) for kind, path in locations]


def matched(path, kind, value):
    """Both kinds of document compare a prefix by the elements of the path."""
    return path == value or (kind == "Prefix" and path.startswith(value.rstrip("/") + "/"))


def of_ingress(document):
    return [(path["pathType"], path["path"]) for rule in document["spec"]["rules"] for path in rule["http"]["paths"]]


def of_route(document):
    paths = [match["path"] for rule in document["spec"]["rules"] for match in rule["matches"]]
    return [(path["type"].removeprefix("Path"), path["value"]) for path in paths]


def routes(tree):
    blocks = re.findall(r"```yaml\n(.*?)```", tree.text(GUIDE), re.DOTALL)
    return [document for block in blocks for document in kinds(yaml.safe_load_all(block), "HTTPRoute")]
