"""Services with VidP's images are restricted, drain in time, and have only variables that the programs read."""

import re

from .. import programs
from ..deployed.names import OURS, unknown
from .variables import FILE, environment, filled, sample, seconds

ENV_LINE = re.compile(r"ENV\s+((?:.*\\\n)*.*)")


def check(tree, document):
    images, variables = programs.images(tree), sample(tree)
    for name, service in document["services"].items():
        where, image = f"{FILE}: services.{name}", filled(service.get("image", ""), variables)
        found = OURS.match(image)
        if found and found.group(1) not in images:
            yield f"{where}: image: {image}: the Dockerfile has no target {found.group(1)}"
        elif found:
            yield from one(tree, where, service, found, images, programs.version(tree), variables)
    for target, (name, lines) in images.items():
        names = re.findall(r"\b(VIDP_\w+|OTEL_\w+)=", " ".join(ENV_LINE.findall(lines)))
        yield from unknown(f"Dockerfile: target {target}", programs.program(name), dict.fromkeys(names))


def one(tree, where, service, image, images, version, variables):
    target = image.group(1)
    name = images[target][0]
    if "/" not in image.group().partition("vidp/")[0]:
        yield f"{where}: image: {image.group()} Compose pulls it from docker.io before it builds; name a registry"
    asked = (service.get("healthcheck") or {}).get("test")
    if service.get("restart") != "no" and asked != ["CMD", f"/usr/local/bin/{name}", "healthcheck", "--ready"]:
        yield f"{where}: healthcheck: does not check that {name} is ready, so dependent services start too early"
    if image.group(2) != version:
        yield f"{where}: image: the tag {image.group(2)} is not {version}, the version in Cargo.toml"
    build = service.get("build")
    if build and (build if isinstance(build, dict) else {}).get("target") != target:
        yield f"{where}: build.target is not {target}, as its image says"
    if service.get("read_only") is not True:
        yield f"{where}: read_only: true is missing"
    if "ALL" not in service.get("cap_drop", []):
        yield f"{where}: cap_drop: [ALL] is missing"
    if not any(re.match(r"no-new-privileges(:true)?$", one) for one in service.get("security_opt", [])):
        yield f"{where}: security_opt: no-new-privileges:true is missing"
    values = {key: filled(value, variables) for key, value in environment(service).items()}
    program = programs.program(name)
    yield from unknown(f"{where}: environment", program, {key: value or None for key, value in values.items()})
    if "VIDP_DRAIN_SECONDS" in program.env:
        drain = int(values.get("VIDP_DRAIN_SECONDS") or program.env["VIDP_DRAIN_SECONDS"].default)
        grace = seconds(filled(service.get("stop_grace_period", "10s"), variables))
        if grace <= drain:
            yield f"{where}: stop_grace_period {grace} s is not longer than VIDP_DRAIN_SECONDS, {drain} s"
    port = programs.default_port(tree, name, values.get("VIDP_ROLE"))
    for one in service.get("ports", []):
        text = one["target"] if isinstance(one, dict) else filled(one, variables).rpartition(":")[2].partition("/")[0]
        if (inside := int(text)) != port:
            yield f"{where}: ports: publishes {inside}; {name} listens on {port}"
