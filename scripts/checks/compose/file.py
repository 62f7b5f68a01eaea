"""docker-compose.yml matches the Compose specification, contains no password, and uses options of the programs."""

import functools
import json
import re

import jsonschema

from .. import programs
from ..deployed.names import OURS, unpinned
from ..tree import ENGINES
from . import names
from .variables import FILE, SECRET, VARIABLE, environment, filled, interpolated, sample

LOGIN = re.compile(r"://[^/@\s]*:([^/@\s]+)@")


@functools.cache
def schema():
    return jsonschema.Draft202012Validator(json.loads((ENGINES / "schemas" / "compose-spec.json").read_text()))


def check(tree):
    (document,) = tree.yaml(FILE)
    for error in schema().iter_errors(document):
        yield f"{FILE}: {'.'.join(str(part) for part in error.path)}: {error.message[:300]}"
    variables, images = sample(tree), programs.images(tree)
    yield from interpolated(tree, document, variables)
    waited = {name for service in document["services"].values() for name in depends(service)}
    for name, service in document["services"].items():
        image = filled(service.get("image", ""), variables)
        # These need no probe: a command that ends, and a service of a profile that no other service waits for.
        one_shot = service.get("restart") == "no"
        probed = name in waited or not (one_shot or service.get("profiles"))
        for problem in (
            *refers(document, service), *hidden(service), *bounded(service, image, one_shot, probed, images),
        ):  # fmt: skip
            yield f"{FILE}: services.{name}: {problem}"
    yield from names.check(tree, document)


def refers(document, service):
    for name, how in (depends(service)).items():
        other = document["services"].get(name)
        if other is None:
            yield f"depends_on: service {name} does not exist"
        elif set(other.get("profiles", [])) - set(service.get("profiles", [])):
            yield f"depends_on: {name} exists only in the profiles {other['profiles']}"
        elif how.get("condition", "service_started") == "service_started":
            yield f"depends_on: the condition must wait until {name} is healthy or completed"
    for field in ("networks", "secrets", "configs"):
        for one in service.get(field) or []:
            name = one.get("source") if isinstance(one, dict) else one
            if name not in (document.get(field) or {}) and (field, name) != ("networks", "default"):
                yield f"{field}: {name} is not declared"
    for one in service.get("volumes", []):
        name = one.get("source", "") if isinstance(one, dict) else one.split(":")[0]
        kind = one.get("type") if isinstance(one, dict) else None
        if name and kind in (None, "volume") and name[0] not in "./~$" and name not in (document.get("volumes") or {}):
            yield f"volumes: {name} is not declared"


def depends(service):
    given = service.get("depends_on") or {}
    return given if isinstance(given, dict) else {name: {} for name in given}


def hidden(service):
    for name, value in environment(service).items():
        bare = VARIABLE.sub("", value).strip()
        if SECRET.search(name) and not name.endswith(("_FILE", "_PATH")) and bare and "$" not in value:
            yield f"environment.{name}: a literal value; use a variable of `.env`"
    for text in map(str, [service.get("command"), service.get("entrypoint"), environment(service)]):
        for password in LOGIN.findall(VARIABLE.sub("$", text)):
            if "$" not in password:
                yield "an address contains a password; use a variable of `.env`"


def bounded(service, image, one_shot, probed, images):
    ours = OURS.match(image)
    if not ours and (problem := unpinned(image)):
        yield f"image: {problem}"
    in_image = ours and "HEALTHCHECK" in images.get(ours.group(1), ("", ""))[1]
    health = service.get("healthcheck") or {}
    if probed and (health.get("disable") or not (health.get("test") or in_image)):
        yield "healthcheck: neither the service nor its image has one"
    if one_shot:
        return
    limits = (service.get("deploy") or {}).get("resources", {}).get("limits", {})
    if not (limits.get("memory") or service.get("mem_limit")):
        yield "deploy.resources.limits.memory is missing"
    if not (limits.get("cpus") or service.get("cpus")):
        yield "deploy.resources.limits.cpus is missing"
