"""Selectors, ports and backends have a target. One without a target has no effect and causes no error."""

from ..tree import containers, kinds, pods, title

# Labels of pods that are created by other programs: cert-manager answers HTTP-01 challenges.
OTHERS = ({"acme.cert-manager.io/http01-solver": "true"},)


def labels(template):
    return (template.get("metadata") or {}).get("labels") or {}


def matches(selector, found):
    return all(found.get(name) == value for name, value in selector.items())


def selected(selector, found):
    """True when a label selector (matchLabels, matchExpressions) matches these labels. An empty one matches all."""
    return matches(selector.get("matchLabels") or {}, found) and all(
        {
            "In": found.get(one["key"]) in one.get("values", []),
            "NotIn": found.get(one["key"]) not in one.get("values", []),
            "Exists": one["key"] in found,
            "DoesNotExist": one["key"] not in found,
        }[one["operator"]]
        for one in selector.get("matchExpressions") or []
    )


def selects(documents, document):
    """Problems of the selector and the ports of a Service, ServiceMonitor, NetworkPolicy or PodDisruptionBudget."""
    spec, kind = document["spec"], document["kind"]
    if kind == "Service":
        if not spec.get("selector"):
            return
        found = [template for _, template in pods(documents) if matches(spec["selector"], labels(template))]
        if not found:
            yield f"spec.selector {spec['selector']} matches no pod"
        for port in spec.get("ports", []):
            target = port.get("targetPort", port["port"])
            for template in found:
                if not has_port(template, target):
                    yield f"spec.ports: no container of its pods has the port {target}"
    elif kind == "ServiceMonitor":
        yield from monitored(documents, spec)
    else:
        field = "podSelector" if kind == "NetworkPolicy" else "selector"
        wanted = spec.get(field) or {}
        found = [*(labels(template) for _, template in pods(documents)), *OTHERS]
        if not any(selected(wanted, one) for one in found):
            yield f"spec.{field} {wanted} matches no pod"


def monitored(documents, spec):
    found = [
        service
        for service in kinds(documents, "Service")
        if selected(spec["selector"], service["metadata"].get("labels") or {})
    ]
    if not found:
        yield f"spec.selector {spec['selector']} matches no Service"
    # Other Services may have the same labels: the operator skips a Service that lacks the port.
    wanted = {endpoint.get("port") for endpoint in spec["endpoints"]}
    for service in ours(documents):
        if service not in found:
            yield f"spec.selector {spec['selector']} does not match {title(service)}"
        for name in wanted - {port.get("name") for port in service["spec"]["ports"]}:
            yield f"spec.endpoints: {title(service)} has no port named {name}"


def ours(documents):
    """Services whose pods run VidP's programs."""
    running = [
        labels(template)
        for _, template in pods(documents)
        if any("vidp/" in container.get("image", "") for container in containers(template))
    ]
    for service in kinds(documents, "Service"):
        selector = service["spec"].get("selector")
        if selector and any(matches(selector, found) for found in running):
            yield service


def has_port(template, wanted):
    return any(
        wanted in (port.get("name"), port["containerPort"])
        for container in containers(template)
        for port in container.get("ports", [])
    )


def ingress(documents, document):
    services = {service["metadata"]["name"]: service for service in kinds(documents, "Service")}
    for rule in document["spec"].get("rules", []):
        for path in rule.get("http", {}).get("paths", []):
            backend = path["backend"]["service"]
            ports = services.get(backend["name"], {"spec": {"ports": []}})["spec"]["ports"]
            wanted = backend["port"].get("number", backend["port"].get("name"))
            if not any(wanted in (port["port"], port.get("name")) for port in ports):
                yield f"spec.rules: no Service/{backend['name']} has the port {wanted}"
