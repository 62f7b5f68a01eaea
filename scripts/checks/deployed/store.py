"""Each program has its own user of the object store, with only the rights that its code uses."""

import json
import pathlib

from ..compose import variables as compose_variables
from ..tree import containers, kinds, pods, title
from .settings import data

FOLDER = "deploy/s3"
# The worker of each stage, by the name of its policy.
STAGES = {"langscale": "detect", "downscale": "scale", "subtitle": "subtitle"}
USERS = {"api", *STAGES}
# MinIO, SeaweedFS and AWS S3 know these actions; SeaweedFS and AWS ignore an unknown one.
ACTIONS = {f"s3:{name}" for name in (
    "AbortMultipartUpload", "CreateBucket", "DeleteObject", "GetObject", "ListBucket", "ListBucketMultipartUploads",
    "ListMultipartUploadParts", "PutObject",
)}  # fmt: skip
READS, WRITES = {"s3:GetObject"}, {"s3:PutObject", "s3:AbortMultipartUpload"}
JOB = "-".join("?" * count for count in (8, 4, 4, 4, 12))
KEYS = ("VIDP_S3_ACCESS_KEY", "VIDP_S3_SECRET_KEY")
# The operator's user, in the environment, in the Secret and in .env.
ROOT = ("MINIO_ROOT", "minio-root")


def check(tree):
    policies = {pathlib.Path(path).stem: json.loads(tree.text(path)) for path in tree.glob(f"{FOLDER}/*.json")}
    for name in sorted(USERS ^ set(policies)):
        yield f"{FOLDER}/{name}.json: expected one policy for each of {', '.join(sorted(USERS))}"
    (bucket,) = {data(one)["VIDP_S3_BUCKET"] for one in kinds(tree.builds["k8s"], "ConfigMap")
                 if one["metadata"]["name"] == "vidp-config"}  # fmt: skip
    for name, policy in policies.items():
        for problem in rights(policy, STAGES.get(name), f"arn:aws:s3:::{bucket}"):
            yield f"{FOLDER}/{name}.json: {problem}"
    for build, documents in tree.builds.items():
        used = {f"{title(document)}: {one['name']}": referred(one)
                for document, template in pods(documents) for one in containers(template)}  # fmt: skip
        yield from (f"{build}: {problem}" for problem in separate(used))
    (compose,) = tree.yaml(compose_variables.FILE)
    used = {f"services.{name}": compose_variables.environment(one) for name, one in compose["services"].items()}
    yield from (f"{compose_variables.FILE}: {problem}" for problem in separate(used))


def rights(policy, stage, bucket):
    own = {f"{bucket}/outputs/{JOB}/{stage}/*", f"{bucket}/probes/{stage}"}
    for statement in policy["Statement"]:
        actions, resources = set(statement["Action"]), set(statement["Resource"])
        if statement["Effect"] != "Allow" or set(statement) - {"Sid", "Effect", "Action", "Resource"}:
            yield "a statement may only allow actions on resources: the stores differ in all else"
        for action in sorted(actions - ACTIONS):
            yield f"{action}: not an action that all stores know"
        for resource in sorted(resources):
            if (resource != bucket and not resource.startswith(f"{bucket}/")) or resource == f"{bucket}/*":
                yield f"{resource}: expected a prefix in the bucket of vidp-config, {bucket}"
        if stage is None:
            continue
        for action in sorted(actions - READS - WRITES):
            yield f"{action}: a worker neither lists nor deletes"
        if actions & WRITES and resources - own:
            yield f"{sorted(resources - own)}: a worker writes only {sorted(own)}"


def referred(container):
    """{variable: the key of the Secret, or the value}."""
    found = {}
    for one in container.get("env", []):
        reference = one.get("valueFrom", {}).get("secretKeyRef", {})
        found[one["name"]] = str(reference.get("key") or one.get("value") or "")
    return found


def separate(used):
    """No program has the operator's key, and no two programs share one."""
    # The server itself: only it has settings of MinIO.
    owners, stores = {}, [place for place, environment in used.items() if "MINIO_BROWSER" in environment]
    roots = {value for place in stores for name, value in used[place].items() if name.startswith(ROOT)}
    for place, environment in used.items():
        for name, value in environment.items():
            operators = name.startswith(ROOT) or value in roots or any(root in value for root in ROOT)
            if operators and place not in stores:
                yield f"{place}: {name}: the operator's key of the object store; only the store itself may have it"
            if name in KEYS:
                owners.setdefault((name, value), []).append(place)
        if set(KEYS) & set(environment) and not all(environment.get(name) for name in KEYS):
            yield f"{place}: expected both {' and '.join(KEYS)}"
    for (name, _), places in owners.items():
        if len(places) > 1:
            yield f"{' and '.join(places)}: {name}: the same user of the object store; each program has its own"
