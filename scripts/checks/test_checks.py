"""Each check complains about a tree that was broken on purpose: a check that cannot fail would be worth nothing.

The trees are this repository with one thing changed in memory, or a few files in a temporary folder.
"""

import copy
import pathlib
import tempfile
import unittest

from . import (
    alerts,
    broker,
    build,
    compose,
    compose_names,
    copies,
    figures,
    hardening,
    lint,
    names,
    references,
    scaling,
    schemas,
)
from .compose_variables import FILE, SAMPLE
from .tree import Tree, kinds, pods

SOUND = Tree()


class Broken(Tree):
    """The repository, with documents that may be changed and texts that may be replaced."""

    def __init__(self):
        super().__init__()
        self.files = SOUND.files
        self.kustomized = dict(SOUND.kustomized)
        self.builds = copy.deepcopy(SOUND.builds)
        self.monitoring = copy.deepcopy(SOUND.monitoring)
        self.texts = {}

    def text(self, path):
        return self.texts[path] if path in self.texts else super().text(path)

    def exists(self, path):
        return path in self.texts or super().exists(path)

    def replace(self, path, old, new):
        """Replaces a text that must be there."""
        before = self.text(path)
        assert old in before, f"{path} has no {old!r}: the test must follow the file"
        self.texts[path] = before.replace(old, new, 1)

    def one(self, kind, name=None):
        """A document of the base, or of what is added for the Prometheus operator."""
        documents = [*self.builds["k8s"], *self.monitoring]
        return next(one for one in kinds(documents, kind) if name in (None, one["metadata"]["name"]))

    def pod(self, name="downscale"):
        """Template and first container of a Deployment of the base."""
        ((_, template),) = pods([self.one("Deployment", name)])
        return template, template["spec"]["containers"][0]

    def environment(self, name, value, of="downscale"):
        _, container = self.pod(of)
        container["env"] = [one for one in container.get("env", []) if one["name"] != name]
        container["env"].append({"name": name, **value})


class Checks(unittest.TestCase):
    before = {}

    def assertFound(self, check, change, *expected):
        """After `change`, the check has a complaint that it had not before, with all of `expected` in it."""
        tree = Broken()
        change(tree)
        if check not in self.before:
            self.before[check] = set(check(SOUND))
        new = set(check(tree)) - self.before[check]
        self.assertTrue(
            any(all(part in problem for part in expected) for problem in new), f"not found: {expected}; found: {new}"
        )

    def test_build(self):
        check = build.check
        self.assertFound(check, lambda t: t.kustomized.update(k8s=(1, "no such file")), "kustomize fails")
        self.assertFound(check, lambda t: t.builds["k8s"].append(t.builds["k8s"][0]), "there 2 times")
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

        def of_a_trigger(tree):
            tree.one("ScaledObject")["spec"]["triggers"][0]["metadata"]["lagThreshold"] = 1

        def of_a_monitor(tree):
            tree.one("ServiceMonitor")["spec"]["endpoints"][0]["intervall"] = "15s"

        self.assertFound(schemas.check, unknown_field, "Deployment/downscale", "resourcess")
        self.assertFound(schemas.check, unknown_kind, "there is no apps/v1beta1 Deployment")
        self.assertFound(schemas.check, of_a_trigger, "ScaledObject", "is not of type 'string'")
        self.assertFound(schemas.check, of_a_monitor, "ServiceMonitor", "intervall")

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
            (container(command=["/bin/worker-scale"]), "is not in the image"),
            (container(args=["--slot=1"]), "--slot=1"),
            (container(ports=[{"name": "http", "containerPort": 8001}]), "listens on 8003"),
            (container(livenessProbe={"httpGet": {"path": "/healthz", "port": 8003}}), "not /healthz"),
            (container(livenessProbe={"exec": {"command": ["/usr/local/bin/worker-scale", "health"]}}), "no command"),
            (lambda t: t.one("ConfigMap", "vidp-config")["data"].update(VIDP_SLOT="1"), "VIDP_SLOT"),
        ]
        for change, expected in cases:
            self.assertFound(names.check, change, expected)

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

        def account(tree):
            tree.pod()[0]["spec"]["serviceAccountName"] = "no-such-account"

        cases = [
            (key, "Secret/vidp-secrets has no key no-such-key"),
            (lambda t: key(t, "configMapKeyRef", "vidp-config"), "ConfigMap/vidp-config has no key no-such-key"),
            (lambda t: key(t, name="no-such-secret"), "there is no Secret/no-such-secret"),
            (port, "has the port 1"),
            (label, "matches no pod"),
            (volume, "no volume no-such-volume"),
            (backend, "no Service/no-such-service"),
            (unwatched, "no port named metrics"),
            (account, "no ServiceAccount/no-such-account"),
        ]
        for change, expected in cases:
            self.assertFound(references.check, change, expected)

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
            (password, "no `replace-me` placeholder"),
        ]
        for change, expected in cases:
            self.assertFound(hardening.check, change, expected)

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
            (trigger(consumer="scale-slow"), "expected one trigger for each lane"),
            (trigger(lagThreshold="99"), "lagThreshold is 99"),
            (trigger(stream="TASKS"), "stream is TASKS"),
            (trigger(natsServerMonitoringEndpoint="nats:1"), "no Service/nats with the port 1"),
            (twice, "is scaled by"),
            (lambda t: t.one("StatefulSet", "nats")["spec"].update(replicas=5), "has 5 replicas"),
        ]
        for change, expected in cases:
            self.assertFound(scaling.check, change, expected)

    def test_copies(self):
        def other(tree):
            tree.texts["deploy/nats/auth.conf"] = tree.text("deploy/nats/auth.conf") + "# more\n"

        self.assertFound(copies.check, other, "has another text under auth.conf")

    def test_broker(self):
        def invalid(tree):
            tree.replace("deploy/nats/nats.conf", "jetstream {", "jetstream [")

        def unset(tree):
            ((_, template),) = pods([tree.one("StatefulSet", "nats")])
            container = template["spec"]["containers"][0]
            container["env"] = [one for one in container["env"] if one["name"] != "NATS_API_PASSWORD"]

        self.assertFound(broker.check, invalid, "deploy/nats/nats.conf: nats-server -t")
        self.assertFound(broker.check, unset, "k8s: ConfigMap/nats-config", "NATS_API_PASSWORD")

    def test_compose(self):
        def service(change):
            def changed(tree):
                (document,) = SOUND.yaml(FILE)
                document = copy.deepcopy(document)
                change(document["services"])
                tree.yaml = lambda path: [document] if path == FILE else SOUND.yaml(path)

            return changed

        def main(services):
            return services["downscale"]

        cases = [
            (service(lambda s: main(s).update(imagee="x")), "imagee"),
            (service(lambda s: s["nats"].update(image="nats:latest")), "not pinned"),
            (service(lambda s: s["nats"].pop("healthcheck")), "healthcheck"),
            (service(lambda s: main(s).pop("deploy")), "limits.memory"),
            (service(lambda s: main(s)["environment"].update(VIDP_SLOT="1")), "`worker-scale --help` does not know it"),
            (service(lambda s: main(s)["environment"].update(VIDP_S3_SECRET_KEY="hunter2")), "a literal"),
            (service(lambda s: main(s).update(image="vidp/worker-scale:0.0.9")), "is not 0.1.0"),
            (service(lambda s: main(s).update(read_only=False)), "read_only"),
            (service(lambda s: main(s).update(stop_grace_period="1s")), "is not longer than"),
            (service(lambda s: main(s).update(depends_on=["nats"])), "is not waited for"),
            (service(lambda s: main(s).update(volumes=["no-such-volume:/x"])), "no-such-volume is not declared"),
            (lambda t: t.texts.update({FILE: SOUND.text(FILE) + "# \nx-a: ${NO_SUCH}\n"}), "NO_SUCH is not in"),
            (
                lambda t: t.texts.update({FILE: SOUND.text(FILE) + "x-a: ${A_PASSWORD:-b}\n"}),
                "a secret must be asked for",
            ),
            (lambda t: t.texts.update({SAMPLE: SOUND.text(SAMPLE) + "A_PASSWORD=hunter2\n"}), "neither empty nor"),
        ]
        for change, expected in cases:
            self.assertFound(compose.check, change, expected)
        with_env = Broken()
        with_env.replace("Dockerfile", "ENV VIDP_SCRATCH_DIR=", "ENV VIDP_SCRATCH=")
        problems = list(compose_names.check(with_env, SOUND.yaml(FILE)[0]))
        self.assertTrue(any("VIDP_SCRATCH:" in problem for problem in problems), problems)

    def test_lint(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name in (".yamllint.yml", ".hadolint.yaml"):
                (root / name).write_text(SOUND.text(name))
            (root / "twice.yaml").write_text("a: 1\na: 2\n")
            (root / "Dockerfile").write_text("FROM debian:latest\nRUN cd /tmp && ls\n")
            (root / "deploy").mkdir()
            (root / "deploy" / "start.sh").write_text("if true; then\n")
            problems = "\n".join(lint.check(Tree(root)))
        for expected in ('duplication of key "a"', "DL3007", "DL3003", "(sh -n)"):
            self.assertIn(expected, problems)

    def test_alerts(self):
        (document,) = SOUND.yaml(alerts.find(SOUND, "alerts.yml"))
        (cases,) = SOUND.yaml(alerts.find(SOUND, "alerts.test.yml"))
        all_alerts = [rule for group in document["groups"] for rule in group["rules"] if "alert" in rule]
        name = all_alerts[0]["alert"]

        def only(firing):
            kept = copy.deepcopy(cases)
            for case in kept["tests"]:
                case["alert_rule_test"] = [
                    one
                    for one in case.get("alert_rule_test", [])
                    if one["alertname"] != name or bool(one.get("exp_alerts")) == firing
                ]
            return list(alerts.tested("tests", all_alerts, kept))

        self.assertEqual(only(firing=True), [f"tests: {name}: no case with input in which it does not fire"])
        self.assertEqual(only(firing=False), [f"tests: {name}: no case in which it fires"])
        without = Broken()
        without.texts[alerts.RUNBOOK] = SOUND.text(alerts.RUNBOOK).replace(f" {name}\n", " Another\n")
        self.assertTrue(any(name in one for one in alerts.explained(without, "rules", all_alerts)))
        changed = copy.deepcopy(document)
        changed["groups"][0]["rules"][0]["for"] = "1s"
        self.assertTrue(list(alerts.same(SOUND, "rules", changed)))

    def test_promtool(self):
        """The real promtool refuses a rule that does not parse, and a test that expects another value."""
        rule = {"alert": "VidpDown", "expr": "vidp_broker_up == 0", "labels": {"severity": "critical"}}
        case = (
            "rule_files: [alerts.yml]\ntests:\n- interval: 1m\n  input_series:\n"
            "  - {series: vidp_broker_up, values: 1x5}\n  alert_rule_test:\n"
            "  - {alertname: VidpDown, eval_time: 2m, exp_alerts: [{exp_labels: {severity: critical}}]}\n"
        )
        for expression, expected in (("vidp_broker_up == 0", "FAILED"), ("vidp_broker_up ==", "parse error")):
            with tempfile.TemporaryDirectory() as folder:
                place = pathlib.Path(folder, "k8s/monitoring")
                place.mkdir(parents=True)
                text = str({"groups": [{"name": "a", "rules": [{**rule, "expr": expression}]}]})
                (place / "alerts.yml").write_text(text)
                (place / "alerts.test.yml").write_text(case)
                problems = "\n".join(alerts.promtool(Tree(folder), *(f"k8s/monitoring/{name}" for name in (
                    "alerts.yml", "alerts.test.yml"))))  # fmt: skip
            self.assertIn(expected, problems)

    def test_figures(self):
        known = figures.declared(SOUND)
        self.assertIn("vidp_task_seconds_bucket", known)
        self.assertEqual(list(figures.unknown("x", 'vidp_queue_depth{a="vidp_no"}', known)), [])
        self.assertEqual(len(list(figures.unknown("x", "rate(vidp_queue_deep[5m])", known))), 1)
        self.assertTrue(any("parse" in one for one in figures.parse([("panel 1", "sum(rate(x[$__rate_interval])")])))
        self.assertEqual(list(figures.parse([("panel 1", 'sum(rate(x{stage=~"$stage"}[$__rate_interval]))')])), [])
