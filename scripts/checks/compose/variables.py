"""Variables of the Compose file, `${NAME:-default}`, and `.env.example`, which documents them."""

import re

FILE, SAMPLE = "docker-compose.yml", ".env.example"
# `$$` is a dollar sign for the shell of the container.
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?:(:?[-?+])([^{}]*(?:\{[^{}]*\}[^{}]*)*))?\}|(?<!\$)\$(\w+)")
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|ACCESS_KEY|KEYFILE|MONGODB_URL")


def sample(tree):
    """The variables of `.env.example` and their values, including those in comments, which are optional."""
    if not tree.exists(SAMPLE):
        return {}
    return dict(re.findall(r"^#? ?([A-Z][A-Z0-9_]*)=(.*)$", tree.text(SAMPLE), re.MULTILINE))


def filled(value, variables):
    """A value whose `${…}` are replaced as Compose does, with the values of the sample."""

    def one(found):
        name, operator, word = found.group(1) or found.group(4), found.group(2), found.group(3)
        given = variables.get(name, "")
        return given or (word if operator in ("-", ":-") else "")

    return VARIABLE.sub(one, str(value))


def interpolated(tree, document, variables):
    """Every variable is documented, every documented one is used, and a secret has no default."""
    used = {name for service in document["services"].values() for name in passed_on(service)}
    for name in sorted(used - set(variables)):
        yield f"{FILE}: environment: {name} has no value and is not in {SAMPLE}"
    for number, line in enumerate(tree.text(FILE).splitlines(), start=1):
        for name, operator, word, bare in VARIABLE.findall(
            line.split(" #")[0] if not line.lstrip().startswith("#") else ""
        ):
            name = name or bare
            used |= {name} | {inner or other for inner, _, _, other in VARIABLE.findall(word)}
            if name not in variables:
                yield f"{FILE}: line {number}: {name} is not in {SAMPLE}"
            if SECRET.search(name) and operator not in ("?", ":?") and (operator or "") + word not in (":-", "-"):
                yield f"{FILE}: line {number}: {name}: a secret must be required: ${{{name}:?…}}"
    for name, value in variables.items():
        if name not in used and not name.startswith("COMPOSE_"):
            yield f"{SAMPLE}: {name}: {FILE} does not use it"
        if SECRET.search(name) and value.strip("'\"") and "replace-me" not in value:
            yield f"{SAMPLE}: {name}: neither empty nor a `replace-me` placeholder"


def passed_on(service):
    """Names without a value. Compose passes the value of its environment or `.env`, or omits the variable."""
    given = service.get("environment") or {}
    if isinstance(given, dict):
        return [name for name, value in given.items() if value is None]
    return [line for line in given if "=" not in line]


def environment(service):
    given = service.get("environment") or {}
    if isinstance(given, dict):
        return {name: "" if value is None else str(value) for name, value in given.items()}
    return {line.partition("=")[0]: line.partition("=")[2] for line in given}


def seconds(text):
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)(h|m|s)", text))
