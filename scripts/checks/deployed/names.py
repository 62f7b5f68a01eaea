"""Images, ports, options, environment names and values in the manifests are those of the programs' `--help`."""

import re

from .. import programs
from ..tree import containers, kinds, pods, title
from . import published
from .settings import environment, unread

OURS = re.compile(r"^(?:[\w.:-]+/)*?vidp/([\w-]+):([\w.-]+)$")
# docs/decisions/0006-images.md says why these have no digest.
BY_TAG = {"nats:2.15.1-alpine"}
# The C and Rust run-time reads these, so that `--help` does not list them.
RUNTIME_VARIABLES = {"TMPDIR", "RUST_BACKTRACE", "MALLOC_ARENA_MAX", "TZ"}
PATHS = {"/health", "/ready"}


def check(tree):
    images, version = programs.images(tree), programs.version(tree)
    for target, (name, _) in images.items():
        if f"/usr/local/bin/{name}" not in images[target][1]:
            yield f"Dockerfile: target {target}: its entry point {name} is not /usr/local/bin/{name}"
    seen = set()
    for build, documents in tree.builds.items():
        for document, template in pods(documents):
            for container in containers(template):
                where = f"{build}: {title(document)}: {container['name']}"
                target, problem = ours(container.get("image", ""), images, version)
                if problem:
                    yield f"{where}: image: {problem}"
                elif target:
                    seen.add(target)
                    yield from one(tree, where, documents, container, images[target][0])
        yield from unread(build, documents)
        for document in kinds(documents, "Ingress"):
            yield from (f"{build}: {title(document)}: {problem}" for problem in uploads(documents, document))
    yield from published.check(tree)
    for target in sorted(set(images) - seen - {"cli"}):
        yield f"k8s: no container runs vidp/{target}, which the Dockerfile builds"


def ours(image, images, version):
    """The Dockerfile's target of an image (None for other projects' images), and the problem of its name."""
    found = OURS.match(image)
    if found and found.group(1) not in images:
        return None, f"{image}: the Dockerfile has no target {found.group(1)}"
    if found and found.group(2) != version:
        return None, f"{image}: the tag is not {version}, the version in Cargo.toml"
    if found:
        return found.group(1), None
    if problem := unpinned(image):
        return None, problem
    return None, f"{image}: an image of VidP is named vidp/<target>:<tag>" if "vidp" in image else None


def unpinned(image):
    """The problem of another project's image whose content may change."""
    name, _, digest = image.partition("@")
    last = name.rpartition("/")[2]
    if ":" not in last or last.endswith((":latest", ":")):
        return f"{image or 'none'}: not pinned by a tag"
    if not re.fullmatch("sha256:[0-9a-f]{64}", digest) and image not in BY_TAG:
        return f"{image}: not pinned by a digest"
    return None


def one(tree, where, documents, container, name):
    program = programs.program(name)
    values = environment(documents, container)
    yield from unknown(where, program, values)
    command = container.get("command", [f"/usr/local/bin/{name}"])
    if command[0] != f"/usr/local/bin/{name}":
        yield f"{where}: command: {command[0]} is not in the image; expected /usr/local/bin/{name}"
    words = [*command[1:], *container.get("args", [])]
    yield from arguments(f"{where}: args", program, words)
    if not words or words[0] not in program.commands:
        yield from ports(tree, where, container, program, values)


def unknown(where, program, values):
    """Variables that the program does not read, and values that it refuses."""
    used = " ".join(str(value) for value in values.values())
    for name, value in values.items():
        option = program.env.get(name)
        if not option:
            if name not in RUNTIME_VARIABLES and f"$({name})" not in used:
                yield f"{where}: env {name}: `{program.name} --help` does not know it"
        elif value is not None and "$(" not in str(value):
            if option.values and value not in option.values:
                yield f"{where}: env {name}: {value} is none of {', '.join(option.values)}"
            if option.default.isdigit() and not str(value).isdigit():
                yield f"{where}: env {name}: {value} is not a whole number"


def arguments(where, program, words):
    for word in words:
        flag = re.match(r"--([\w-]+)", word)
        if flag and flag.group(1) not in program.flags:
            yield f"{where}: {word}: `{program.name} --help` does not know it"
    if words and not words[0].startswith("-") and words[0] not in program.commands:
        yield f"{where}: {words[0]}: {program.name} has no such command"


def uploads(documents, ingress):
    """The proxy passes the largest upload that the API accepts, without buffering it."""
    notes, prefix = ingress["metadata"].get("annotations") or {}, "nginx.ingress.kubernetes.io/proxy-"
    largest = programs.program("vidp-api").env["VIDP_MAX_UPLOAD_MB"].default
    for document, template in pods(kinds(documents, "Deployment")):
        if document["metadata"]["name"] == "vidp-main":
            given = environment(documents, template["spec"]["containers"][0])
            largest = given.get("VIDP_MAX_UPLOAD_MB") or largest
    size = re.fullmatch(r"(\d+)m", notes.get(prefix + "body-size", ""))
    if not size or int(size.group(1)) * 1024**2 < int(largest) * 1000**2:
        yield f"annotations: {prefix}body-size is less than VIDP_MAX_UPLOAD_MB, {largest} MB"
    if notes.get(prefix + "request-buffering") != "off":
        yield f"annotations: {prefix}request-buffering is not off: an upload would be stored twice"


def ports(tree, where, container, program, values):
    bind = values.get("VIDP_BIND")
    role = values.get("VIDP_ROLE") or getattr(program.env.get("VIDP_ROLE"), "default", None)
    port = int(bind.rpartition(":")[2]) if bind else programs.default_port(tree, program.name, role)
    declared = {entry.get("name"): entry["containerPort"] for entry in container.get("ports", [])}
    if port not in declared.values():
        yield f"{where}: ports: {program.name} listens on {port}; declared are {list(declared.values())}"
    if option := program.env.get("VIDP_PROBE_BIND"):
        port = int((values.get("VIDP_PROBE_BIND") or option.default).rpartition(":")[2])
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container.get(probe, {})
        if "httpGet" in asked:
            to = asked["httpGet"]
            if declared.get(to["port"], to["port"]) != port:
                yield f"{where}: {probe}: asks port {to['port']}; {program.name} has its probes on {port}"
            if to.get("path") not in PATHS:
                yield f"{where}: {probe}: {program.name} serves {' and '.join(sorted(PATHS))}, not {to.get('path')}"
        if "exec" in asked:
            yield from arguments(f"{where}: {probe}", program, asked["exec"]["command"][1:])
