"""The settings in `k8s/`: the autoscaling of each stage, and the slots, drain and CPUs of its pods."""

import dataclasses
import pathlib
import re

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DEPLOYMENTS = {"detect": "langscale", "scale": "downscale", "subtitle": "subtitle"}
LANES = ("interactive", "batch")
PARTS = "parts"  # The queue of offered parts
# The defaults of the programs (docs/settings.md), for settings that the manifests do not have.
DEFAULTS = {"VIDP_SLOTS": "1", "VIDP_DRAIN_SECONDS": "20"}


@dataclasses.dataclass(frozen=True)
class Policy:
    type: str
    value: int
    period: int


@dataclasses.dataclass(frozen=True)
class Rules:
    """One direction of `behavior`."""

    window: int
    policies: tuple
    select: str = "Max"


@dataclasses.dataclass(frozen=True)
class Settings:
    stage: str
    least: int
    most: int
    targets: tuple  # ((lanes, target), ...): one for each metric of the HPA
    up: Rules
    down: Rules
    polling: int
    cooldown: int
    activation: int
    fallback: dict
    slots: int
    drain: int
    cpus: float
    offered: float = 1.0  # The share of an offered part in the metric, of a task
    delay: int = 0  # Age of the metric in seconds: 0 with KEDA, a scrape interval and more with prometheus-adapter.

    def but(self, **changes):
        """A copy with changes. `target` sets the target of every metric, `window` that of scaleDown."""
        if "target" in changes:
            target = changes.pop("target")
            changes["targets"] = tuple((lanes, target) for lanes, _ in self.targets)
        if "window" in changes:
            changes["down"] = dataclasses.replace(self.down, window=changes.pop("window"))
        return dataclasses.replace(self, **changes)


def rules(given, window, policies):
    """One direction of `behavior`, with the defaults that the API server fills in."""
    given = given or {}
    some = given.get("policies") or policies
    return Rules(
        given.get("stabilizationWindowSeconds", window),
        tuple(Policy(policy["type"], policy["value"], policy["periodSeconds"]) for policy in some),
        given.get("selectPolicy", "Max"),
    )


def behavior(given):
    """Both directions, with the defaults of Kubernetes."""
    given = given or {}
    all_of_them = {"type": "Percent", "value": 100, "periodSeconds": 15}
    four = {"type": "Pods", "value": 4, "periodSeconds": 15}
    return rules(given.get("scaleUp"), 0, [all_of_them, four]), rules(given.get("scaleDown"), 300, [all_of_them])


def documents(folder):
    for path in sorted(folder.rglob("*.y*ml")):
        for document in yaml.safe_load_all(path.read_text()):
            if isinstance(document, dict):
                yield document


def targets(spec):
    """The metrics, and the share of an offered part: one metric for each trigger, or KEDA's sum if there is a formula.

    In a formula the queue of parts may be divided by a number. Other formulas raise ValueError.
    """
    lanes, each = {}, []
    for number, trigger in enumerate(spec["triggers"]):
        if trigger["type"] != "nats-jetstream":
            continue
        lane = trigger["metadata"]["consumer"].rsplit("-", 1)[1]
        lanes[trigger.get("name", f"s{number}")] = lane
        each.append(((lane,), int(trigger["metadata"].get("lagThreshold", 10))))
    modifiers = (spec.get("advanced") or {}).get("scalingModifiers")
    if not modifiers:
        return tuple(each), 1.0
    terms = dict((*(word.strip() for word in term.split("/")), "1")[:2] for term in modifiers["formula"].split("+"))
    divided = {lanes.get(name): float(number) for name, number in terms.items()}
    if None in divided or any(number != 1 for lane, number in divided.items() if lane != PARTS):
        raise ValueError(f"only a sum of the triggers can be replayed, not {modifiers['formula']!r}")
    return ((tuple(divided), float(modifiers["target"])),), 1 / divided.get(PARTS, 1)


def shipped(root=ROOT / "k8s"):
    """Settings by stage."""
    found = {d["spec"]["scaleTargetRef"]["name"]: d["spec"] for d in documents(root / "autoscaling" / "keda")
             if d.get("kind") == "ScaledObject"}  # fmt: skip
    pods = {d["metadata"]["name"]: d["spec"]["template"]["spec"] for d in documents(root / "deployments")
            if d.get("kind") == "Deployment"}  # fmt: skip
    config = {}
    for document in documents(root / "config"):
        if document.get("kind") == "ConfigMap":
            config.update(document.get("data") or {})
    return {stage: read(stage, found[name], pods.get(name), config) for stage, name in DEPLOYMENTS.items()}


def read(stage, spec, pod, config):
    advanced = spec.get("advanced") or {}
    up, down = behavior((advanced.get("horizontalPodAutoscalerConfig") or {}).get("behavior"))
    metadata = [trigger["metadata"] for trigger in spec["triggers"]]
    container = pod["containers"][0]
    # The pod's `env` overrides the values of the ConfigMap.
    own = {entry["name"]: entry["value"] for entry in container.get("env") or [] if "value" in entry}
    value = {**DEFAULTS, **config, **own}
    metrics, offered = targets(spec)
    return Settings(
        stage=stage,
        least=spec.get("minReplicaCount", 0),
        most=spec.get("maxReplicaCount", 100),
        targets=metrics,
        offered=offered,
        up=up,
        down=down,
        polling=spec.get("pollingInterval", 30),
        cooldown=spec.get("cooldownPeriod", 300),
        activation=max(int(given.get("activationLagThreshold", 0)) for given in metadata),
        fallback=spec.get("fallback"),
        slots=int(value["VIDP_SLOTS"]),
        drain=int(value["VIDP_DRAIN_SECONDS"]),
        cpus=cores(container),
    )


def adapter(root=ROOT / "k8s"):
    """The same for the overlay without KEDA: the settings of its HPAs (`autoscaling/v2`), by stage."""
    keda, found = shipped(root), {}
    for d in documents(root / "autoscaling" / "external-metrics"):
        if d.get("kind") == "HorizontalPodAutoscaler":
            spec, (metric,) = d["spec"], [metric["external"] for metric in d["spec"]["metrics"]]
            stage = metric["metric"]["selector"]["matchLabels"]["stage"]
            up, down = behavior(spec.get("behavior"))
            found[stage] = keda[stage].but(
                least=spec.get("minReplicas", 1), most=spec["maxReplicas"], up=up, down=down, fallback=None,
                targets=((keda[stage].targets[0][0], float(metric["target"]["averageValue"])),),
            )  # fmt: skip
    return found


def cores(container):
    """The CPUs that a pod requests, which the node guarantees."""
    text = str(container["resources"]["requests"]["cpu"])
    milli = re.fullmatch(r"(\d+)m", text)
    return int(milli[1]) / 1000 if milli else float(text)
