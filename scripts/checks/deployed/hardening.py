"""Every pod has limits, probes, a drain and a restricted security context, in every overlay."""

import re

from ..tree import containers, kinds, pods, title
from . import placing
from .names import OURS
from .selectors import labels, selected
from .settings import environment

CPU_OR_MEMORY = ("cpu", "memory")


def check(tree):
    for build, documents in tree.builds.items():
        for document, template in pods(documents):
            for problem in pod(documents, document, template):
                yield f"{build}: {title(document)}: {problem}"
        yield from (f"{build}: {problem}" for problem in whole(documents))
        yield from (f"{build}: {problem}" for problem in secrets(documents))


def pod(documents, document, template):
    spec, inits = template["spec"], template["spec"].get("initContainers", [])
    if spec.get("automountServiceAccountToken") is not False:
        yield "automountServiceAccountToken: false is missing; nothing here talks to Kubernetes"
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield f"{field}: not allowed"
    for volume in spec.get("volumes", []):
        if "hostPath" in volume:
            yield f"volume {volume['name']}: hostPath is not allowed"
        if "emptyDir" in volume and not (volume["emptyDir"] or {}).get("sizeLimit"):
            yield f"volume {volume['name']}: emptyDir without sizeLimit can fill the node's disk"
    for container in containers(template):
        for problem in [*resources(container), *restricted(spec, container)]:
            yield f"{container['name']}: {problem}"
        if container not in inits and document["kind"] in ("Deployment", "StatefulSet"):
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                if not container.get(probe):
                    yield f"{container['name']}: {probe} is missing"
        yield from (f"{container['name']}: {problem}" for problem in drain(documents, spec, container))
    yield from placing.problems(document, template)


def resources(container):
    for field in ("requests", "limits"):
        given = (container.get("resources") or {}).get(field) or {}
        for name in CPU_OR_MEMORY:
            # A CPU limit is optional: it would throttle a pod on a node with idle CPUs.
            if name not in given and (field, name) != ("limits", "cpu"):
                yield f"resources.{field}.{name} is missing"


def restricted(spec, container):
    """The Pod Security Standard `restricted`, and a read-only root file system."""
    whole, own = spec.get("securityContext") or {}, container.get("securityContext") or {}
    both = {**whole, **own}
    if both.get("runAsNonRoot") is not True:
        yield "securityContext.runAsNonRoot: true is missing"
    if both.get("runAsUser") == 0:
        yield "securityContext.runAsUser: 0 is root"
    if (both.get("seccompProfile") or {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield "securityContext.seccompProfile.type: RuntimeDefault is missing"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "securityContext.allowPrivilegeEscalation: false is missing"
    if own.get("privileged"):
        yield "securityContext.privileged: not allowed"
    if (own.get("capabilities") or {}).get("drop") != ["ALL"] or (own.get("capabilities") or {}).get("add"):
        yield "securityContext.capabilities: drop: [ALL] and no add are expected"
    if own.get("readOnlyRootFilesystem") is not True:
        yield "securityContext.readOnlyRootFilesystem: true is missing"


def drain(documents, spec, container):
    """A worker must drain and return its tasks before the grace period ends, when Kubernetes kills the pod."""
    if not OURS.match(container.get("image", "")) or container in spec.get("initContainers", []):
        return
    grace = spec.get("terminationGracePeriodSeconds", 30)
    values = environment(documents, container)
    if "VIDP_DRAIN_SECONDS" in values and not int(values["VIDP_DRAIN_SECONDS"] or 0) < grace:
        yield f"terminationGracePeriodSeconds {grace} is not longer than VIDP_DRAIN_SECONDS"
    if "VIDP_GRACE_SECONDS" in values and int(values["VIDP_GRACE_SECONDS"] or 0) > grace:
        yield f"VIDP_GRACE_SECONDS is longer than terminationGracePeriodSeconds {grace}"
    if (
        spec.get("restartPolicy", "Always") == "Always"
        and "VIDP_SLOTS" in values
        and "VIDP_DRAIN_SECONDS" not in values
    ):
        yield "env VIDP_DRAIN_SECONDS is missing: the drain must be chosen with terminationGracePeriodSeconds"


def whole(documents):
    budgets = kinds(documents, "PodDisruptionBudget")
    for document, template in pods(kinds(documents, "Deployment", "StatefulSet")):
        if not any(selected(budget["spec"]["selector"], labels(template)) for budget in budgets):
            yield f"{title(document)}: no PodDisruptionBudget selects its pods"
        spread = template["spec"].get("topologySpreadConstraints", [])
        if document["kind"] == "Deployment" and not spread:
            yield f"{title(document)}: topologySpreadConstraints are missing"
        for one in spread:
            if not one.get("labelSelector") or not selected(one["labelSelector"], labels(template)):
                yield f"{title(document)}: topologySpreadConstraints: its labelSelector does not match the pods"
    denies = [
        policy["metadata"]["name"]
        for policy in kinds(documents, "NetworkPolicy")
        if not policy["spec"].get("podSelector")
        and {"Ingress", "Egress"} <= set(policy["spec"].get("policyTypes", []))
        and not policy["spec"].get("ingress") and not policy["spec"].get("egress")
    ]  # fmt: skip
    if not denies:
        yield "NetworkPolicy: none denies all ingress and egress by default (podSelector: {}, both policyTypes)"


def secrets(documents):
    """Committed Secrets are samples: every value is a placeholder that the programs refuse."""
    for document in kinds(documents, "Secret"):
        for field in ("data", "stringData"):
            for key, value in (document.get(field) or {}).items():
                if field == "data" or "replace-me" not in str(value):
                    yield f"{title(document)}: {field}.{key}: not a `replace-me` placeholder"
    for document, template in pods(documents):
        for container in containers(template):
            where = f"{title(document)}: {container['name']}"
            if any("secretRef" in source for source in container.get("envFrom", [])):
                yield f"{where}: envFrom a Secret exposes every password; name the required keys"
            for variable in container.get("env", []):
                secret = re.search(r"PASSWORD|SECRET|TOKEN|ACCESS_KEY|MONGODB_URL", variable["name"])
                if secret and variable.get("value") and not variable["name"].endswith(("_FILE", "_PATH")):
                    yield f"{where}: env {variable['name']}: a literal value; use a Secret"
