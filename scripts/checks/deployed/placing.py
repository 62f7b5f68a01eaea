"""Where pods go, what disk they get there, and whether a node may be emptied again."""

from ..tree import containers
from .quantities import size

# The kubelet turns a container's log over at 10 MiB and keeps 5 of them, which count as the pod's own use of the disk.
# It looks every 10 s: what a program says when everything fails comes on top.
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
    """The kubelet evicts a pod that is above its limit, whatever filled the disk."""
    scratch = sum(size(one.get("sizeLimit", 0)) or 0 for one in emptied(template).values())
    for container in containers(template):
        limit = (container.get("resources") or {}).get("limits", {}).get("ephemeral-storage")
        if limit is None:
            yield f"{container['name']}: resources.limits.ephemeral-storage is missing"
        elif (size(limit) or 0) < scratch + LOGS:
            yield f"{container['name']}: resources.limits.ephemeral-storage {limit} is less than 512Mi for logs and " \
                "what its emptyDirs may hold"  # fmt: skip


def leaves(template):
    """cluster-autoscaler does not remove a node with a pod that has an emptyDir, unless it is named."""
    given = ((template.get("metadata") or {}).get("annotations") or {}).get(LOCAL, "")
    named = {name for name in given.split(",") if name}
    for name in sorted(set(emptied(template)) - named):
        yield f"metadata.annotations.{LOCAL} does not name {name}: its node is never scaled away"
    for name in sorted(named - set(emptied(template))):
        yield f"metadata.annotations.{LOCAL}: there is no emptyDir {name}"


def spread(constraints):
    """A majority must not be lost with one node. Without minDomains two nodes would take three servers."""
    hosts = [one for one in constraints if one["topologyKey"] == HOST]
    firm = [one for one in hosts if one["whenUnsatisfiable"] == "DoNotSchedule" and one["maxSkew"] == 1]
    if not any(one.get("minDomains", 1) >= 3 for one in firm):
        yield f"topologySpreadConstraints: {HOST} with DoNotSchedule, maxSkew 1 and minDomains 3 is missing"
