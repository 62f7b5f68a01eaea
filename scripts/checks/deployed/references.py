"""Every reference leads to a document of the same build: keys, claims, ports, selectors, targets of scaling."""

from ..tree import containers, kinds, pods, title
from .selectors import ingress, labels, matches, selects


def check(tree):
    for build, documents in tree.everything.items():
        yield from (f"{build}: {problem}" for problem in problems(documents))


def problems(documents):
    keys = {
        (document["kind"], document["metadata"]["name"]): set(document.get("data") or {})
        | set(document.get("stringData") or {}) | set(document.get("binaryData") or {})
        for document in kinds(documents, "ConfigMap", "Secret")
    }  # fmt: skip
    for document, template in pods(documents):
        yield from (f"{title(document)}: {problem}" for problem in pod(documents, document, template, keys))
    for document in kinds(documents, "Service", "PodDisruptionBudget", "NetworkPolicy", "ServiceMonitor"):
        yield from (f"{title(document)}: {problem}" for problem in selects(documents, document))
    for document in kinds(documents, "ScaledObject", "HorizontalPodAutoscaler"):
        target = document["spec"]["scaleTargetRef"]
        name = f"{target.get('kind', 'Deployment')}/{target['name']}"
        if name not in map(title, documents):
            yield f"{title(document)}: spec.scaleTargetRef: {name} does not exist"
    for document in kinds(documents, "Ingress"):
        yield from (f"{title(document)}: {problem}" for problem in ingress(documents, document))


def pod(documents, document, template, keys):
    spec = template["spec"]
    selector = (document["spec"].get("selector") or {}).get("matchLabels", {})
    if not matches(selector, labels(template)):
        yield f"spec.selector {selector} does not match the pods' labels {labels(template)}"
    account = spec.get("serviceAccountName", "default")
    if account != "default" and f"ServiceAccount/{account}" not in map(title, documents):
        yield f"serviceAccountName: ServiceAccount/{account} does not exist"
    claims = {claim["metadata"]["name"] for claim in document["spec"].get("volumeClaimTemplates", [])}
    volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
    for volume in volumes.values():
        sources = [volume, *volume.get("projected", {}).get("sources", [])]
        for source in sources:
            yield from (f"volume {volume['name']}: {problem}" for problem in volume_source(documents, source, keys))
    names = [container["name"] for container in containers(template)]
    if len(set(names)) < len(names):
        yield f"containers: two have the same name: {names}"
    for container in containers(template):
        for mount in container.get("volumeMounts", []):
            if mount["name"] not in set(volumes) | claims:
                yield f"{container['name']}: volumeMounts: volume {mount['name']} does not exist"
        yield from (f"{container['name']}: {problem}" for problem in variables(container, keys))
    used = {mount["name"] for container in containers(template) for mount in container.get("volumeMounts", [])}
    for name in sorted((set(volumes) | claims) - used):
        yield f"volume {name}: no container mounts it"


def volume_source(documents, source, keys):
    for field, kind, label in (("configMap", "ConfigMap", "name"), ("secret", "Secret", None)):
        if field in source:
            name = source[field].get(label or "secretName") or source[field].get("name")
            wanted = [item["key"] for item in source[field].get("items", [])]
            yield from known(kind, name, wanted, keys)
    claim = source.get("persistentVolumeClaim", {}).get("claimName")
    if claim and f"PersistentVolumeClaim/{claim}" not in map(title, documents):
        yield f"PersistentVolumeClaim/{claim} does not exist"


def variables(container, keys):
    names = [variable["name"] for variable in container.get("env", [])]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"env {name}: defined twice"
    for variable in container.get("env", []):
        for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            reference = variable.get("valueFrom", {}).get(field)
            if reference and not reference.get("optional"):
                yield from (
                    f"env {variable['name']}: {problem}"
                    for problem in known(kind, reference["name"], [reference["key"]], keys)
                )
    for source in container.get("envFrom", []):
        for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if field in source and not source[field].get("optional"):
                yield from (f"envFrom: {problem}" for problem in known(kind, source[field]["name"], [], keys))


def known(kind, name, wanted, keys):
    if (kind, name) not in keys:
        yield f"{kind}/{name} does not exist"
    else:
        for key in wanted:
            if key not in keys[kind, name]:
                yield f"{kind}/{name} has no key {key}"
