"""One autoscaler scales each stage by the stage's own queues, and streams have a replica on each broker."""

import re

from ..tree import kinds, pods, title
from . import adapter
from .metrics import declared
from .names import OURS
from .settings import environment

LANES = re.compile(r"pub enum Lane \{(.*?)\}", re.S)
NAME = re.compile(r'= "(\w+)"')
STREAMS = re.compile(r'(TASKS|PARTS): &str = "(\w+)"')
PARTS = re.compile(r'PARTS_CONSUMER: &str = "([\w-]+)"')
HOST = re.compile(r"(?:https?://)?([a-z0-9-]+)(?:\.[\w.-]+)?:(\d+)")


def check(tree):
    lanes = set(NAME.findall(LANES.search(tree.text("contract/src/stage.rs"))[1]))
    streams = dict(STREAMS.findall(tree.text("contract/src/streams.rs")))
    (parts,) = PARTS.findall(tree.text("contract/src/streams.rs"))
    known = declared(tree)
    scaled = set()
    for build in tree.overlays:
        documents = tree.builds.get(build, [])
        yield from (f"{build}: {problem}" for problem in alone(documents))
        yield from (f"{build}: {problem}" for problem in brokers(documents))
        for document in kinds(documents, "ScaledObject"):
            scaled.add(build)
            problems = queues(documents, document, lanes, streams, parts)
            yield from (f"{build}: {title(document)}: {one}" for one in problems)
        for document in kinds(documents, "HorizontalPodAutoscaler"):
            yield from (f"{build}: {title(document)}: {one}" for one in external(documents, document, known))
    if not scaled:
        yield "k8s: no overlay has a ScaledObject"
    yield from adapter.check(tree)


def target(documents, autoscaler):
    """Stage and slots of the scaled Deployment; (None, None) for that of the API."""
    name = autoscaler["spec"]["scaleTargetRef"]["name"]
    for document, template in pods(kinds(documents, "Deployment")):
        if document["metadata"]["name"] == name:
            for container in template["spec"]["containers"]:
                image = OURS.match(container.get("image", ""))
                values = environment(documents, container)
                if image and image.group(1).startswith("worker-"):
                    return values.get("VIDP_ROLE") or image.group(1)[len("worker-") :], values.get("VIDP_SLOTS", "1")
    return None, None


def alone(documents):
    """Two autoscalers of one Deployment conflict, and so does a fixed number of replicas, at each `apply`."""
    seen = {}
    for document in kinds(documents, "ScaledObject", "HorizontalPodAutoscaler"):
        name = document["spec"]["scaleTargetRef"]["name"]
        if name in seen:
            yield f"{title(document)}: {name} is scaled by {seen[name]} already"
        seen[name] = title(document)
    for document in kinds(documents, "Deployment"):
        name = document["metadata"]["name"]
        if name in seen and "replicas" in document["spec"]:
            yield f"{title(document)}: spec.replicas: every `apply` would overwrite the number that {seen[name]} set"


def queues(documents, document, lanes, streams, parts):
    spec, (stage, slots) = document["spec"], target(documents, document)
    triggers = [one["metadata"] for one in spec["triggers"] if one["type"] == "nats-jetstream"]
    consumers = sorted(one.get("consumer", "") for one in triggers)
    expected = [f"{stage}-{lane}" for lane in lanes] + [parts] * parts.startswith(f"{stage}-")
    if stage and consumers != sorted(expected):
        wanted = f"expected one trigger for each queue of {stage}: {sorted(expected)}"
        yield f"spec.triggers: consumers {consumers}; {wanted}"
    for one in triggers:
        where = f"spec.triggers: {one.get('consumer')}"
        stream = streams["PARTS" if one.get("consumer") == parts else "TASKS"]
        if one.get("stream") != stream:
            yield f"{where}: stream is {one.get('stream')}; that of the consumer is {stream}"
        if one.get("lagThreshold") != slots:
            yield f"{where}: lagThreshold is {one.get('lagThreshold')}; its pods have {slots} slots"
        yield from (
            f"{where}: {problem}" for problem in endpoint(documents, one.get("natsServerMonitoringEndpoint", ""))
        )
    yield from added_up(spec, slots)
    if "fallback" not in spec:
        yield "spec.fallback is missing: the number of pods is undefined while the broker does not answer"
    low, high = spec.get("minReplicaCount", 0), spec.get("maxReplicaCount", 100)
    if low > high:
        yield f"spec.minReplicaCount {low} is more than maxReplicaCount {high}"
    down = (spec.get("advanced") or {}).get("horizontalPodAutoscalerConfig", {}).get("behavior", {}).get("scaleDown")
    if not down:
        yield "spec.advanced.horizontalPodAutoscalerConfig.behavior.scaleDown is missing: running tasks would stop"


def added_up(spec, slots):
    """KEDA uses the largest of several triggers, unless a formula adds the lanes, by the triggers' names."""
    names = {one.get("name") for one in spec["triggers"]}
    modifiers = (spec.get("advanced") or {}).get("scalingModifiers", {})
    if len(names) > 1 and set(re.findall(r"[a-z_]\w*", modifiers.get("formula", ""))) != names:
        yield f"spec.advanced.scalingModifiers.formula does not add up the triggers {sorted(map(str, names))}"
    if slots and modifiers and modifiers.get("target") != slots:
        yield f"spec.advanced.scalingModifiers.target is {modifiers.get('target')}; its pods have {slots} slots"


def endpoint(documents, text):
    found = HOST.fullmatch(text)
    services = {service["metadata"]["name"]: service for service in kinds(documents, "Service")}
    if not found:
        yield f"natsServerMonitoringEndpoint: {text!r} is not host:port"
    elif ".svc" in text or "." not in text:
        ports = services.get(found.group(1), {"spec": {"ports": []}})["spec"]["ports"]
        if int(found.group(2)) not in [port["port"] for port in ports]:
            yield f"natsServerMonitoringEndpoint: no Service/{found.group(1)} has the port {found.group(2)}"


def external(documents, document, known):
    spec, (stage, slots) = document["spec"], target(documents, document)
    if spec.get("minReplicas", 1) > spec["maxReplicas"]:
        yield f"spec.minReplicas {spec['minReplicas']} is more than maxReplicas {spec['maxReplicas']}"
    external = [one["external"] for one in spec.get("metrics", []) if one["type"] == "External"]
    metrics = [one["metric"] for one in external]
    for value in (one["target"].get("averageValue") for one in external):
        if stage and value != slots:
            yield f"spec.metrics: averageValue is {value}; its pods have {slots} slots"
    if stage and not metrics:
        yield f"spec.metrics: none is External; {stage} must scale by its queue"
    for metric in metrics:
        if metric["name"] not in known:
            yield f"spec.metrics: {metric['name']}: no program declares it"
        asked = (metric.get("selector") or {}).get("matchLabels", {}).get("stage")
        if stage and asked != stage:
            yield f"spec.metrics: {metric['name']}: the selector has the stage {asked}; the target processes {stage}"


def brokers(documents):
    servers = [
        document["spec"].get("replicas", 1)
        for document in kinds(documents, "StatefulSet")
        if document["metadata"]["name"] == "nats"
    ]
    for document, template in pods(documents):
        for container in template["spec"]["containers"]:
            copies = environment(documents, container).get("VIDP_STREAM_REPLICAS")
            if OURS.match(container.get("image", "")) and servers and int(copies or 1) != min(servers[0], 5):
                yield (
                    f"{title(document)}: {container['name']}: VIDP_STREAM_REPLICAS is {copies or 1}; "
                    f"StatefulSet/nats has {servers[0]} replicas"
                )
