"""Network policies allow exactly the connections that the programs need, pod by pod and port by port.

The rules are those of https://kubernetes.io/docs/concepts/services-networking/network-policies/: both ends of a
connection must allow it, and an end that no policy selects allows everything.
"""

import ipaddress

from ..tree import NAMESPACE, containers, kinds, pods
from .selectors import labels, selected

NAME = "app.kubernetes.io/name"
SERVICES = {"vidp-main": 8000, "langscale": 8002, "downscale": 8003, "subtitle": 8004}
# Caller, callee, port. A caller with a slash is a namespace.
INSIDE = {
    *((name, store, port) for name in SERVICES for store, port in (("nats", 4222), ("minio", 9000))),
    ("vidp-main", "mongodb", 27017), ("nats", "nats", 6222), ("mongodb", "mongodb", 27017), ("minio", "minio", 9000),
}  # fmt: skip
OUTSIDE = {
    ("ingress-nginx/", "vidp-main", 8000), ("ingress-nginx/", "acme-solver", 8089),
    ("keda/", "nats", 8222), ("monitoring/", "nats", 8222),
    # The API has its metrics on a port of their own.
    *(("monitoring/", name, 8001 if name == "vidp-main" else port) for name, port in SERVICES.items()),
}  # fmt: skip
STRANGER = "default/"
PRIVATE = [
    ipaddress.ip_network(net)
    for net in (
        *("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"),
        *("::1/128", "fc00::/7", "fe80::/10"),
    )
]
# The prefix of the widest range of a managed store, by the version of IP.
NARROW = {4: 16, 6: 32}
METADATA = [ipaddress.ip_network("169.254.0.0/16"), ipaddress.ip_network("fe80::/10")]
# cert-manager runs this pod during an order. No manifest has it, but the policies must allow it.
SOLVER = {
    "metadata": {"labels": {"acme.cert-manager.io/http01-solver": "true"}},
    "spec": {"containers": [{"name": "acmesolver", "ports": [{"name": "http", "containerPort": 8089}]}]},
}


def check(tree):
    for build, documents in tree.builds.items():
        policies = kinds(documents, "NetworkPolicy")
        found = {labels(template).get(NAME): template for _, template in pods(documents)}
        found["acme-solver"] = SOLVER
        for callee, template in found.items():
            for container in containers(template):
                for port in container.get("ports", []):
                    yield from calls(build, policies, found, callee, port)
        yield from (f"{build}: {problem}" for problem in anywhere(policies, found))


def calls(build, policies, found, callee, port):
    number = port["containerPort"]
    for caller in (*found, STRANGER, *sorted({one for one, _, _ in OUTSIDE})):
        needed = (caller, callee, number) in INSIDE | OUTSIDE
        outside = caller.endswith("/")
        # The ingress controller is unknown here: it may run in any namespace that the policy names.
        if outside and not needed and caller != STRANGER:
            continue
        to = (NAMESPACE, labels(found[callee]))
        by = (caller[:-1], {}) if outside else (NAMESPACE, labels(found[caller]))
        consent = consents(policies, "ingress", to, by, port)
        if not outside:
            consent = consent and consents(policies, "egress", by, to, port)
        if needed and not consent:
            yield f"{build}: NetworkPolicy: {caller} does not reach {callee}:{number}"
        if consent and not needed:
            yield f"{build}: NetworkPolicy: {caller} reaches {callee}:{number}, which it does not need"


def consents(policies, direction, own, other, port):
    """True when the policies of a pod allow a connection to or from another pod."""
    mine = [
        policy["spec"]
        for policy in policies
        if direction.capitalize() in policy["spec"].get("policyTypes", ["Ingress"])
        and selected(policy["spec"].get("podSelector") or {}, own[1])
    ]
    rules = [rule for spec in mine for rule in spec.get(direction) or []]
    side = "from" if direction == "ingress" else "to"
    return not mine or any(peer(rule.get(side), other) and on_port(rule.get("ports"), port) for rule in rules)


def peer(peers, other):
    namespace, own = other
    for one in peers or []:
        if "ipBlock" in one:
            continue  # The addresses of pods are unknown before they start.
        spaces = one.get("namespaceSelector")
        near = (
            namespace == NAMESPACE if spaces is None else selected(spaces, {"kubernetes.io/metadata.name": namespace})
        )
        if near and selected(one.get("podSelector") or {}, own):
            return True
    return not peers


def on_port(ports, port):
    for one in ports or []:
        low = one.get("port")
        if low is None or low == port.get("name") or low == port["containerPort"]:
            return one.get("protocol", "TCP") == port.get("protocol", "TCP")
        if isinstance(low, int) and low <= port["containerPort"] <= one.get("endPort", low):
            return True
    return not ports


def anywhere(policies, found):
    """Only the API may leave the cluster: to public addresses, for webhooks. Managed stores have their ranges."""
    for policy in policies:
        name, spec = policy["metadata"]["name"], policy["spec"]
        for rule in spec.get("egress") or []:
            blocks = [one["ipBlock"] for one in rule.get("to") or [] if "ipBlock" in one]
            out = [one["cidr"] for one in blocks if not one["cidr"].endswith(("/32", "/128"))]
            if not {"nats", "mongodb", "minio"} <= set(found):
                out = [cidr for cidr in out if not endpoints(cidr)]
            if rule.get("to") and (not out or (name == "api" and all(public(one) for one in blocks) and https(rule))):
                continue
            yield f"NetworkPolicy/{name}: egress leads out of the cluster: {out or 'anywhere'}"


def endpoints(cidr):
    """True for a range that a provider's service may have: no whole network, and no metadata service of a cloud."""
    net = ipaddress.ip_network(cidr)
    narrow = net.prefixlen >= NARROW[net.version]
    return narrow and not any(net.version == one.version and net.overlaps(one) for one in METADATA)


def public(block):
    """True when a block contains no address of a private network or of a cloud's metadata service."""
    excluded = [ipaddress.ip_network(one) for one in block.get("except", [])]
    own = ipaddress.ip_network(block["cidr"])
    near = [net for net in PRIVATE if net.version == own.version and net.overlaps(own)]
    return all(any(net.subnet_of(one) for one in excluded if one.version == net.version) for net in near)


def https(rule):
    return [port.get("port") for port in rule.get("ports") or []] == [443]
