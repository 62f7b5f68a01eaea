"""The environment of a container, with the values of the ConfigMaps in the same build."""

from ..tree import containers, kinds, pods


def environment(documents, container):
    """{name: value} of a container; None for a value that the manifests do not contain."""
    found = {}
    for source in container.get("envFrom", []):
        for kind, field in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
            name = source.get(field, {}).get("name")
            for document in kinds(documents, kind):
                if document["metadata"]["name"] == name:
                    found.update({source.get("prefix", "") + key: value for key, value in data(document).items()})
    for variable in container.get("env", []):
        reference = variable.get("valueFrom", {}).get("configMapKeyRef", {})
        values = [
            data(document).get(reference["key"])
            for document in kinds(documents, "ConfigMap")
            if reference and document["metadata"]["name"] == reference["name"]
        ]
        found[variable["name"]] = variable.get("value", values[0] if values else None)
    return found


def data(document):
    return {**(document.get("data") or {}), **(document.get("stringData") or {})}


def unread(build, documents):
    """Keys of vidp-config that no container reads: a misspelt setting has no effect and no error."""
    read, wholesale = set(), set()
    for _, template in pods(documents):
        for container in containers(template):
            for variable in container.get("env", []):
                reference = variable.get("valueFrom", {}).get("configMapKeyRef", {})
                read.add((reference.get("name"), reference.get("key")))
            wholesale |= {source.get("configMapRef", {}).get("name") for source in container.get("envFrom", [])}
    for document in kinds(documents, "ConfigMap"):
        name = document["metadata"]["name"]
        if name == "vidp-config" and name not in wholesale:
            for key in data(document):
                if (name, key) not in read:
                    yield f"{build}: ConfigMap/{name}: {key}: no container reads it"
