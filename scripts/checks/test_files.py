"""Each check of other files finds the fault that a test put there."""

import copy
import pathlib
import tempfile

from .broken import SOUND, Broken, Complaints
from .compose import file as compose
from .compose import names as compose_names
from .compose.variables import FILE, SAMPLE
from .deployed import alerts, metrics
from .source import documents, lint
from .tree import Tree, run


class Files(Complaints):
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
            (service(lambda s: s["mongodb"].update(image="mongo:8.0.26")), "not pinned by a digest"),
            (service(lambda s: s["nats"].pop("healthcheck")), "healthcheck"),
            (service(lambda s: main(s).pop("deploy")), "limits.memory"),
            (service(lambda s: main(s)["environment"].update(VIDP_SLOT="1")), "`worker-scale --help` does not know it"),
            (service(lambda s: main(s)["environment"].update(VIDP_S3_SECRET_KEY="hunter2")), "a literal"),
            (service(lambda s: main(s).update(image="vidp/worker-scale:0.0.9")), "is not 0.1.0"),
            (service(lambda s: main(s).update(image="vidp/worker-scale:0.1.0")), "name a registry"),
            (service(lambda s: main(s)["healthcheck"].update(test=["CMD", "x", "healthcheck"])), "does not check that"),
            (service(lambda s: main(s).update(read_only=False)), "read_only"),
            (service(lambda s: main(s).update(stop_grace_period="1s")), "is not longer than"),
            (service(lambda s: main(s).update(depends_on=["nats"])), "must wait until"),
            (service(lambda s: main(s).update(volumes=["no-such-volume:/x"])), "no-such-volume is not declared"),
            (lambda t: t.texts.update({FILE: SOUND.text(FILE) + "# \nx-a: ${NO_SUCH}\n"}), "NO_SUCH is not in"),
            (
                lambda t: t.texts.update({FILE: SOUND.text(FILE) + "x-a: ${A_PASSWORD:-b}\n"}),
                "a secret must be required",
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

    def test_minio(self):
        """The start script creates each user with its own policy, and shows no secret key in a command line."""
        users = {"API": "api", "LANGSCALE": "langscale", "DOWNSCALE": "downscale", "SUBTITLE": "subtitle"}
        environment = {"MINIO_ROOT_USER": "root-user", "MINIO_ROOT_PASSWORD": "root-password"}
        for name, user in users.items():
            environment |= {f"S3_{name}_ACCESS_KEY": f"{user}-access", f"S3_{name}_SECRET_KEY": f"{user}-secret"}
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            # The first call fails, as it does while the server starts.
            mc = f'#!/bin/sh\n[ -e {root}/up ] || {{ : > {root}/up; exit 1; }}\necho "$@" >> {root}/calls\n' \
                f'case $* in *" user add "*) cat >> {root}/input;; esac\n'  # fmt: skip
            server = f'#!/bin/sh\nenv > {root}/environment\necho "$@" > {root}/server\n' \
                f'until [ "$(grep -c attach {root}/calls)" = 4 ]; do sleep 0.1; done\n'  # fmt: skip
            for name, text in (("mc", mc), ("silo", server), ("sleep", "#!/bin/sh\nexec /bin/sleep 0.1\n")):
                (root / name).write_text(text)
                (root / name).chmod(0o755)
            command = ["sh", SOUND.root / "deploy/s3/minio.sh", "server", "/data"]
            path = {"PATH": f"{root}:/usr/bin:/bin"}
            code, said = run(command, env={**environment, **path}, timeout=30)
            self.assertEqual(code, 0, said)
            calls, given = (root / "calls").read_text(), (root / "environment").read_text()
            self.assertEqual((root / "server").read_text(), "server /data\n")
            self.assertEqual((root / "input").read_text(), "".join(f"{u}-access\n{u}-secret\n" for u in users.values()))
            for user in users.values():
                self.assertIn(f"admin policy create vidp vidp-{user} {SOUND.root}/deploy/s3/{user}.json\n", calls)
                self.assertIn(f"admin policy attach vidp vidp-{user} --user {user}-access\n", calls)
                self.assertNotIn(f"{user}-secret", calls + given)
            code, said = run(command, env={**environment, **path, "S3_API_SECRET_KEY": "replace-me"}, timeout=30)
            self.assertEqual((code, "has no key" in said), (1, True), said)

    def test_alerts(self):
        (document,) = SOUND.yaml(alerts.find(SOUND, "alerts.yml"))
        (cases,) = SOUND.yaml(alerts.find(SOUND, "alerts.test.yml"))
        all_alerts = [rule for group in document["groups"] for rule in group["rules"] if "alert" in rule]
        name = all_alerts[0]["alert"]

        def only(firing):
            chosen = copy.deepcopy(cases)
            for case in chosen["tests"]:
                case["alert_rule_test"] = [
                    one
                    for one in case.get("alert_rule_test", [])
                    if one["alertname"] != name or bool(one.get("exp_alerts")) == firing
                ]
            return list(alerts.tested("tests", all_alerts, chosen))

        self.assertEqual(only(firing=True), [f"tests: {name}: no case with its metrics in which it does not fire"])
        self.assertEqual(only(firing=False), [f"tests: {name}: no case in which it fires"])
        without = Broken()
        without.texts[alerts.RUNBOOK] = SOUND.text(alerts.RUNBOOK).replace(f" {name}\n", " Another\n")
        self.assertTrue(any(name in one for one in alerts.explained(without, "rules", all_alerts)))
        changed = copy.deepcopy(document)
        changed["groups"][0]["rules"][0]["for"] = "1s"
        self.assertTrue(list(alerts.same(SOUND, "rules", changed)))

    def test_promtool(self):
        """The real promtool refuses a rule that does not parse, and a test whose expected value is wrong."""
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

    def test_documents(self):
        def renamed(tree):
            tree.replace("docs/settings.md", "VIDP_ATTEMPT_LIMIT", "VIDP_ATTEMPTS_LIMIT")

        self.assertFound(documents.check, renamed, "docs/settings.md: VIDP_ATTEMPTS_LIMIT: no program reads it")

    def test_metrics(self):
        known = metrics.declared(SOUND)
        self.assertIn("vidp_task_seconds_bucket", known)
        self.assertEqual(list(metrics.unknown("x", 'vidp_queue_depth{a="vidp_no"}', known)), [])
        self.assertEqual(len(list(metrics.unknown("x", "rate(vidp_queue_deep[5m])", known))), 1)
        self.assertTrue(any("parse" in one for one in metrics.parse([("panel 1", "sum(rate(x[$__rate_interval])")])))
        self.assertEqual(list(metrics.parse([("panel 1", 'sum(rate(x{stage=~"$stage"}[$__rate_interval]))')])), [])
