"""The spread of pods over nodes, their disk space, and the removal of a node that has them."""

from ..tree import containers
from .quantities import size

# The kubelet rotates a container's log at 10 MiB and retains 5 files, which count as disk use of the pod. It checks
# every 10 s, so a program that logs many failures exceeds the 50 MiB.
LOGS = size("512Mi")
LOCAL = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"
HOST = "kubernetes.io/hostname"


def problems(document, template):
    yield from disk(template)
    yield from leaves(template)
    if document["kind"] == "StatefulSet" and document["spec"].get("replicas", 1) > 2:
        yield from spread(template["spec"].get("topologySpreadConstraints", []))


def emptied(template):
    return {volume["name"]: volume["emptyDir"] or {} for volume in template["spec"].get("volumes", [])
            if "emptyDir" in volume}  # fmt: skip


def disk(template):
    """The kubelet evicts a pod above its limit, and logs and emptyDirs count alike."""
    scratch = sum(size(one.get("sizeLimit", 0)) or 0 for one in emptied(template).values())
    for container in containers(template):
        limit = (container.get("resources") or {}).get("limits", {}).get("ephemeral-storage")
        if limit is None:
            yield f"{container['name']}: resources.limits.ephemeral-storage is missing"
        elif (size(limit) or 0) < scratch + LOGS:
            yield f"{container['name']}: resources.limits.ephemeral-storage {limit} is less than 512Mi for logs and " \
                "the size limits of its emptyDirs"  # fmt: skip


def leaves(template):
    """cluster-autoscaler removes a node only when an annotation names each emptyDir of its pods."""
    given = ((template.get("metadata") or {}).get("annotations") or {}).get(LOCAL, "")
    named = {name for name in given.split(",") if name}
    for name in sorted(set(emptied(template)) - named):
        yield f"metadata.annotations.{LOCAL} does not name {name}: its node is never removed"
    for name in sorted(named - set(emptied(template))):
        yield f"metadata.annotations.{LOCAL}: emptyDir {name} does not exist"


def spread(constraints):
    """The loss of one node must leave a majority. Without minDomains, three servers may run on two nodes."""
    hosts = [one for one in constraints if one["topologyKey"] == HOST]
    firm = [one for one in hosts if one["whenUnsatisfiable"] == "DoNotSchedule" and one["maxSkew"] == 1]
    if not any(one.get("minDomains", 1) >= 3 for one in firm):
        yield f"topologySpreadConstraints: {HOST} with DoNotSchedule, maxSkew 1 and minDomains 3 is missing"
