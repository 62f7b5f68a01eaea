"""Each check of the manifests finds the fault in a build that was broken on purpose."""

import functools

import yaml

from .broken import SOUND, Broken, Complaints
from .compose.variables import FILE
from .deployed import adapter, broker, build, copies, hardening, names, network, references, scaling, schemas, store
from .tree import kinds, pods


class Manifests(Complaints):
    def test_build(self):
        check = build.check
        self.assertFound(check, lambda t: t.kustomized.update(k8s=(1, "no such file")), "kustomize fails")
        self.assertFound(check, lambda t: t.builds["k8s"].append(t.builds["k8s"][0]), "exists 2 times")
        path = SOUND.applied("k8s/deployments")[0]
        self.assertFound(
            check, lambda t: t.texts.update({path: "apiVersion: v1\nkind: Kustomization\n"}), "cannot read"
        )
        self.assertFound(check, lambda t: t.texts.update({path: "a: 1\n"}), "apiVersion or kind is missing")
        self.assertFound(
            check, lambda t: t.replace(path, "namespace: vidp-production", "namespace: x"), "expected vidp"
        )

    def test_schemas(self):
        def unknown_field(tree):
            tree.pod()[1]["resourcess"] = {}

        def unknown_kind(tree):
            tree.one("Deployment")["apiVersion"] = "apps/v1beta1"

        def no_quantity(tree):
            tree.pod()[1]["resources"]["limits"]["memory"] = "4GiB"

        def above_its_limit(tree):
            tree.pod()[1]["resources"]["requests"]["memory"] = "1Ti"

        def of_a_trigger(tree):
            tree.one("ScaledObject")["spec"]["triggers"][0]["metadata"]["lagThreshold"] = 1

        def of_a_monitor(tree):
            tree.one("ServiceMonitor")["spec"]["endpoints"][0]["intervalx"] = "15s"

        self.assertFound(schemas.check, unknown_field, "Deployment/downscale", "resourcess")
        self.assertFound(schemas.check, unknown_kind, "unknown kind apps/v1beta1 Deployment")
        self.assertFound(schemas.check, no_quantity, "'4GiB' is not a quantity")
        self.assertFound(schemas.check, above_its_limit, "requests.memory is more than its limit")
        self.assertFound(schemas.check, of_a_trigger, "ScaledObject", "is not of type 'string'")
        self.assertFound(schemas.check, of_a_monitor, "ServiceMonitor", "intervalx")

    def test_names(self):
        def container(**fields):
            return lambda tree: tree.pod()[1].update(fields)

        def env(name, **value):
            return lambda tree: tree.environment(name, value)

        cases = [
            (env("VIDP_SLOT", value="1"), "VIDP_SLOT: `worker-scale --help` does not know it"),
            (env("VIDP_MAX_UPLOAD_MB", value="1"), "`worker-scale --help` does not know it"),
            (env("VIDP_LOG", value="xml"), "xml is none of text, json"),
            (env("VIDP_SLOTS", value="two"), "two is not a whole number"),
            (env("VIDP_BIND", value="0.0.0.0:9"), "listens on 9"),
            (container(image="vidp/worker:0.1.0"), "no target worker"),
            (container(image="vidp/worker-scale:0.0.9"), "is not 0.1.0"),
            (container(image="nats"), "not pinned by a tag"),
            (container(image="mongo:8.0.26"), "not pinned by a digest"),
            (container(command=["/bin/worker-scale"]), "is not in the image"),
            (container(args=["--slot=1"]), "--slot=1"),
            (container(ports=[{"name": "http", "containerPort": 8001}]), "listens on 8003"),
            (container(livenessProbe={"httpGet": {"path": "/healthz", "port": 8003}}), "not /healthz"),
            (
                container(livenessProbe={"exec": {"command": ["/usr/local/bin/worker-scale", "health"]}}),
                "has no such command",
            ),
            (lambda t: t.pod("vidp-main")[1]["livenessProbe"]["httpGet"].update(port=8000), "has its probes on 8001"),
            (lambda t: t.one("ConfigMap", "vidp-config")["data"].update(VIDP_SLOT="1"), "VIDP_SLOT"),
        ]
        for change, expected in cases:
            self.assertFound(names.check, change, expected)
        prefix = "nginx.ingress.kubernetes.io/proxy-"
        for note, value in (("body-size", "400m"), ("request-buffering", "on")):

            def proxy(tree, note=note, value=value):
                tree.one("Ingress")["metadata"]["annotations"][prefix + note] = value

            self.assertFound(names.check, proxy, f"{prefix}{note}")
        for published, expected in (
            (["/"], "/ready is published"),
            (["/api", "/web", "/docs"], "/files is not published"),
            (["/web", "/docs", "/files"], "/api/v1/jobs is not published"),
        ):

            def paths(tree, published=published):
                http = tree.one("Ingress")["spec"]["rules"][0]["http"]
                http["paths"] = [{**http["paths"][0], "path": path, "pathType": "Prefix"} for path in published]

            self.assertFound(names.check, paths, expected)
        for guide, before, after, expected in (
            ("docs/kubernetes.md", "PathPrefix, value: /files", "PathPrefix, value: /file", "/files is not published"),
            ("docs/kubernetes.md", "Exact, value: /health", "Exact, value: /ready", "/ready is published"),
            ("docs/kubernetes.md", "Exact, value: / }", "PathPrefix, value: / }", "/ready is published"),
            ("docs/compose.md", "location / {", "location /api {", "nginx 1: /files is not published"),
            ("docs/compose.md", "location /vidp/ {", "location /vidp/api/ {", "nginx 2: /files is not published"),
        ):
            self.assertFound(names.check, lambda t, g=guide, b=before, a=after: t.replace(g, b, a), guide, expected)

    def test_references(self):
        def key(tree, kind="secretKeyRef", name="vidp-secrets"):
            tree.environment("VIDP_S3_REGION", {"valueFrom": {kind: {"name": name, "key": "no-such-key"}}})

        def port(tree):
            tree.one("Service", "downscale")["spec"]["ports"][0]["targetPort"] = 1

        def label(tree):
            tree.one("Service", "downscale")["spec"]["selector"] = {"app": "upscale"}

        def volume(tree):
            tree.pod()[1].setdefault("volumeMounts", []).append({"name": "no-such-volume", "mountPath": "/x"})

        def backend(tree):
            path = tree.one("Ingress")["spec"]["rules"][0]["http"]["paths"][0]
            path["backend"]["service"]["name"] = "no-such-service"

        def unwatched(tree):
            tree.one("ServiceMonitor")["spec"]["endpoints"][0]["port"] = "metrics"

        def bare(tree):
            tree.files = [path for path in tree.files if path != "k8s/deployments/vidp-config.yaml"]

        def account(tree):
            tree.pod()[0]["spec"]["serviceAccountName"] = "no-such-account"

        cases = [
            (key, "Secret/vidp-secrets has no key no-such-key"),
            (lambda t: key(t, "configMapKeyRef", "vidp-config"), "ConfigMap/vidp-config has no key no-such-key"),
            (lambda t: key(t, name="no-such-secret"), "Secret/no-such-secret does not exist"),
            (port, "has the port 1"),
            (label, "matches no pod"),
            (volume, "volume no-such-volume does not exist"),
            (backend, "no Service/no-such-service"),
            (unwatched, "no port named metrics"),
            (account, "ServiceAccount/no-such-account does not exist"),
            (bare, "the guide's steps", "ConfigMap/vidp-config does not exist"),
        ]
        for change, *expected in cases:
            self.assertFound(references.check, change, *expected)

    def test_hardening(self):
        def without(*path):
            def change(tree):
                place = tree.pod()[0]["spec"]
                for part in path[:-1]:
                    place = place[part]
                del place[path[-1]]

            return change

        def no_budget(tree):
            for documents in tree.builds.values():
                documents[:] = [one for one in documents if one["kind"] != "PodDisruptionBudget"]

        def no_deny(tree):
            for policy in kinds(tree.builds["k8s"], "NetworkPolicy"):
                policy["spec"]["podSelector"] = {"matchLabels": {"a": "b"}}

        def volume(tree):
            tree.pod()[0]["spec"].setdefault("volumes", []).append({"name": "x", "emptyDir": {}})

        def disk(tree):
            tree.pod()[1]["resources"]["limits"]["ephemeral-storage"] = "6Gi"

        def one_node(tree):
            ((_, template),) = pods([tree.one("StatefulSet", "mongodb")])
            del template["spec"]["topologySpreadConstraints"][0]["minDomains"]

        def password(tree):
            tree.one("Secret")["stringData"] = {"s3-secret-key": "hunter2"}

        first = ("containers", 0)
        cases = [
            (without(*first, "resources", "limits", "memory"), "limits.memory"),
            (without(*first, "resources", "requests", "cpu"), "requests.cpu"),
            (without(*first, "livenessProbe"), "livenessProbe is missing"),
            (without(*first, "securityContext", "readOnlyRootFilesystem"), "readOnlyRootFilesystem"),
            (without(*first, "securityContext", "capabilities"), "capabilities"),
            (without("topologySpreadConstraints"), "topologySpreadConstraints are missing"),
            (lambda t: t.pod()[0]["spec"].update(terminationGracePeriodSeconds=1), "is not longer than"),
            (lambda t: t.pod()[0]["spec"].update(hostNetwork=True), "hostNetwork"),
            (lambda t: t.environment("VIDP_S3_SECRET_KEY", {"value": "hunter2"}), "a literal"),
            (no_budget, "no PodDisruptionBudget"),
            (no_deny, "none denies"),
            (volume, "sizeLimit"),
            (volume, "does not name x"),
            (disk, "less than 512Mi"),
            (without(*first, "resources", "limits", "ephemeral-storage"), "limits.ephemeral-storage"),
            (lambda t: t.pod()[0]["spec"].update(volumes=[]), "emptyDir scratch does not exist"),
            (one_node, "minDomains 3 is missing"),
            (password, "not a `replace-me` placeholder"),
        ]
        for change, expected in cases:
            self.assertFound(hardening.check, change, expected)

    def test_network(self):
        def policy(name, change):
            return lambda tree: change(tree.one("NetworkPolicy", name)["spec"])

        cases = [
            (policy("workers", lambda spec: spec["egress"].pop(0)), "downscale does not reach nats:4222"),
            (policy("minio", lambda spec: spec["ingress"].clear()), "subtitle does not reach minio:9000"),
            (policy("acme", lambda spec: spec["ingress"].clear()), "ingress-nginx/ does not reach acme-solver:8089"),
            (policy("nats", lambda spec: spec["ingress"].pop()), "keda/ does not reach nats:8222"),
            (policy("mongodb", lambda spec: spec["ingress"][0].pop("from")), "default/ reaches mongodb:27017"),
            (policy("workers", lambda spec: spec["egress"].append({})), "egress leads out of the cluster"),
            (
                policy("api", lambda spec: spec["egress"][-1]["to"][0]["ipBlock"]["except"].pop()),
                "api: egress leads out of the cluster",
            ),
            (
                policy("api", lambda spec: spec["egress"][-1]["ports"].append({"port": 22})),
                "api: egress leads out of the cluster",
            ),
        ]
        for change, expected in cases:
            self.assertFound(network.check, change, expected)

        def open_to_workers(tree):
            for name, peer in (("mongodb", "ingress"), ("workers", "egress")):
                tree.one("NetworkPolicy", name)["spec"][peer].append({})

        self.assertFound(network.check, open_to_workers, "langscale reaches mongodb:27017")

        def managed(cidr, name="managed"):
            def change(tree):
                policies = kinds(tree.builds["k8s/overlays/managed"], "NetworkPolicy")
                (policy,) = [one for one in policies if one["metadata"]["name"] == name]
                policy["spec"]["egress"][0]["to"] = [{"ipBlock": {"cidr": cidr}}]

            return change

        for cidr in ("0.0.0.0/0", "10.0.0.0/8", "172.16.0.0/12", "169.254.169.0/24", "::/0"):
            self.assertFound(network.check, managed(cidr), f"managed: egress leads out of the cluster: ['{cidr}']")
        self.assertFound(network.check, managed("0.0.0.0/0", "managed-mongodb"), "leads out of the cluster")

    def test_store(self):
        def policy(name, old, new):
            return lambda tree: tree.replace(f"deploy/s3/{name}.json", old, new)

        def secret(name, key, of="downscale"):
            reference = {"valueFrom": {"secretKeyRef": {"name": "vidp-secrets", "key": key}}}
            return lambda tree: tree.environment(name, reference, of)

        def compose(old, new):
            def change(tree):
                document = yaml.safe_load(SOUND.text(FILE).replace(old, new))
                tree.yaml = lambda path: [document] if path == FILE else SOUND.yaml(path)

            return change

        def one(old, new):
            return policy("downscale", old, new)

        def root(tree):
            ((_, template),) = pods([tree.one("StatefulSet", "minio")])
            (user,) = [one for one in template["spec"]["containers"][0]["env"] if one["name"] == "MINIO_ROOT_USER"]
            user["valueFrom"]["secretKeyRef"]["key"] = "s3-downscale-access-key"

        key, outputs = "VIDP_S3_SECRET_KEY", "vidp/outputs/????????-????-????-????-????????????/scale/*"
        cases = [
            (secret("VIDP_S3_ACCESS_KEY", "minio-root-user"), "downscale: VIDP_S3_ACCESS_KEY: the operator's key"),
            (root, "k8s: Deployment/downscale: downscale: VIDP_S3_ACCESS_KEY: the operator's key"),
            (secret("MINIO_ROOT_PASSWORD", "x"), "downscale: MINIO_ROOT_PASSWORD: the operator's key"),
            (
                secret(key, "s3-api-secret-key"),
                "downscale and Deployment/vidp-main: vidp-main: VIDP_S3_SECRET_KEY: the same",
            ),
            (lambda t: t.environment(key, {"value": ""}), "expected both VIDP_S3_ACCESS_KEY and"),
            (compose(f"{key}: ${{S3_API", f"{key}: ${{S3_SUBTITLE"), "services.api and services.subtitle"),
            (compose(f"{key}: ${{S3_API_SECRET_KEY", f"{key}: ${{MINIO_ROOT_PASSWORD"), "services.api: VIDP_S3_SECRET"),
            (one("s3:GetObject", "s3:DeleteObject"), "downscale.json: s3:DeleteObject: a worker neither lists"),
            (one("s3:GetObject", "s3:ListBucket"), "downscale.json: s3:ListBucket: a worker neither lists"),
            (one("s3:GetObject", "s3:*"), "downscale.json: s3:*: not an action"),
            (one("vidp/probes/scale", "vidp/probes/*"), "['arn:aws:s3:::vidp/probes/*']: a worker writes only"),
            (
                one(f'["arn:aws:s3:::{outputs}', '["arn:aws:s3:::vidp/outputs/*'),
                "vidp/outputs/*']: a worker writes only",
            ),
            (policy("api", "vidp/uploads/*", "other/uploads/*"), "api.json: arn:aws:s3:::other/uploads/*: expected"),
            (policy("api", "vidp/uploads/*", "vidp/*"), "api.json: arn:aws:s3:::vidp/*: expected a prefix"),
            (policy("api", "Allow", "Deny"), "api.json: a statement may only allow"),
            (lambda t: t.one("ConfigMap", "vidp-config")["data"].update(VIDP_S3_BUCKET="films"), "arn:aws:s3:::films"),
        ]
        for change, expected in cases:
            self.assertFound(store.check, change, expected)

    def test_scaling(self):
        def trigger(**fields):
            def change(tree):
                for document in kinds(tree.builds["k8s"], "ScaledObject"):
                    document["spec"]["triggers"][0]["metadata"].update(fields)

            return change

        def twice(tree):
            target = {"scaleTargetRef": {"name": "downscale"}, "maxReplicas": 2}
            for _ in range(2):
                tree.builds["k8s"].append(
                    {"kind": "HorizontalPodAutoscaler", "metadata": {"name": "second"}, "spec": target}
                )

        cases = [
            (trigger(consumer="scale-slow"), "expected one trigger for each queue"),
            (trigger(lagThreshold="99"), "lagThreshold is 99"),
            (trigger(stream="TASKS"), "stream is TASKS"),
            (trigger(natsServerMonitoringEndpoint="nats:1"), "no Service/nats has the port 1"),
            (twice, "is scaled by"),
            (lambda t: t.one("ScaledObject", "downscale")["spec"].pop("advanced"), "does not add up the triggers"),
            (lambda t: t.one("StatefulSet", "nats")["spec"].update(replicas=5), "has 5 replicas"),
        ]
        for change, expected in cases:
            self.assertFound(scaling.check, change, expected)
        for old, expected in (
            (" >= 0", "NaN"),
            ("max by (stage, lane) ", "1.5E+01"),
        ):
            change = functools.partial(Broken.replace, path=adapter.VALUES, old=old, new="")
            self.assertFound(scaling.check, change, adapter.METRIC, expected)

    def test_copies(self):
        def other(tree):
            tree.texts["deploy/nats/auth.conf"] = tree.text("deploy/nats/auth.conf") + "# more\n"

        self.assertFound(copies.check, other, "has a different text under auth.conf")

    def test_broker(self):
        def invalid(tree):
            tree.replace("deploy/nats/nats.conf", "jetstream {", "jetstream [")

        def unset(tree):
            ((_, template),) = pods([tree.one("StatefulSet", "nats")])
            container = template["spec"]["containers"][0]
            container["env"] = [one for one in container["env"] if one["name"] != "NATS_API_PASSWORD"]

        self.assertFound(broker.check, invalid, "deploy/nats/nats.conf: nats-server -t")
        self.assertFound(broker.check, unset, "k8s: ConfigMap/nats-config", "NATS_API_PASSWORD")
