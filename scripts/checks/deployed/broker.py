"""nats-server accepts each configuration with the environment of its container."""

import pathlib
import re
import tempfile

from ..compose import variables as compose_variables
from ..tree import kinds, pods, run, title, tool
from . import settings

FOLDER = "deploy/nats"


def check(tree):
    (document,) = tree.yaml(compose_variables.FILE)
    names = compose_variables.environment(document["services"]["nats"])
    files = {pathlib.Path(path).name: tree.text(path) for path in tree.glob(f"{FOLDER}/*.conf")}
    yield from (f"{FOLDER}/nats.conf: {problem}" for problem in accepted(files, dict.fromkeys(names, "a1b2c3")))
    for build, documents in tree.builds.items():
        for config in kinds(documents, "ConfigMap"):
            if "nats.conf" in (config.get("data") or {}):
                for problem in accepted(config["data"], variables(documents)):
                    yield f"{build}: {title(config)}: {problem}"


def variables(documents):
    """The broker's environment. Values that only the cluster knows are replaced by a sample."""
    found = {}
    for document, template in pods(kinds(documents, "StatefulSet")):
        if document["metadata"]["name"] == "nats":
            for name, value in settings.environment(documents, template["spec"]["containers"][0]).items():
                text = "a1b2c3" if value is None else str(value)
                found[name] = re.sub(r"\$\((\w+)\)", lambda match: found.get(match.group(1), ""), text)
    return found


def accepted(files, environment):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            # `nats-server -t` creates the folder of the store.
            pathlib.Path(folder, name).write_text(re.sub(r"store_dir:.*", f'store_dir: "{folder}/data"', text))
        code, said = run([tool("nats-server"), "-t", "-c", f"{folder}/nats.conf"], env=environment)
    if code:
        yield f"nats-server -t: {said.replace(folder + '/', '')}"
