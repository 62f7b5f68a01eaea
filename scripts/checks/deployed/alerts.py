"""promtool accepts and tests the alerts; each fires in one test, stays silent in another, and has a runbook."""

import pathlib
import re
import tempfile

import yaml

from ..tree import kinds, run, tool

RUNBOOK = "docs/operations.md"
HEADING = re.compile(r"^#+ +`?(\w+)`?\s*$", re.MULTILINE)
COMPOSE = "deploy/observe/prometheus.yml"


def find(tree, name):
    """The path of the only file with this name in k8s/monitoring."""
    (path,) = tree.glob(f"k8s/monitoring/**/{name}")
    return path


def check(tree):
    rules, tests = find(tree, "alerts.yml"), find(tree, "alerts.test.yml")
    yield from promtool(tree, rules, tests)
    (document,) = tree.yaml(rules)
    (cases,) = tree.yaml(tests)
    alerts = [rule for group in document["groups"] for rule in group["rules"] if "alert" in rule]
    if not alerts:
        yield f"{rules}: the file has no alert"
    yield from tested(tests, alerts, cases)
    yield from explained(tree, rules, alerts)
    yield from same(tree, rules, document)
    yield from compose(tree, rules)


def promtool(tree, rules, tests):
    for command in (["check", "rules", rules], ["test", "rules", tests]):
        code, text = run([tool("promtool"), *command], cwd=tree.root)
        if code:
            yield f"{command[-1]}: promtool {command[0]} rules: {text}"


def tested(path, alerts, cases):
    fires, silent = set(), set()
    asks = {alert["alert"]: set(re.findall(r"[\w:]+", alert["expr"])) for alert in alerts}
    for case in cases["tests"]:
        given = {re.match(r"[\w:]*", series["series"]).group() for series in case.get("input_series", [])}
        for one in case.get("alert_rule_test", []):
            if one.get("exp_alerts"):
                fires.add(one["alertname"])
            elif given & asks.get(
                one["alertname"], given
            ):  # A silent alert proves something only when the case has its metrics.
                silent.add(one["alertname"])
    names = set(asks)
    for name in sorted(names - fires):
        yield f"{path}: {name}: no case in which it fires"
    for name in sorted(names - silent):
        yield f"{path}: {name}: no case with its metrics in which it does not fire"
    for name in sorted((fires | silent) - names):
        yield f"{path}: {name}: no alert has this name"


def explained(tree, path, alerts):
    headings = set(HEADING.findall(tree.text(RUNBOOK))) if tree.exists(RUNBOOK) else set()
    for alert in alerts:
        name, notes = alert["alert"], alert.get("annotations", {})
        if name not in headings:
            yield f"{RUNBOOK}: the alert `{name}` has no heading"
        if not notes.get("runbook_url", "").endswith(f"{RUNBOOK}#{name.lower()}"):
            yield f"{path}: {name}: annotations.runbook_url does not end in {RUNBOOK}#{name.lower()}"
        if not notes.get("summary"):
            yield f"{path}: {name}: annotations.summary is missing"
        if alert.get("labels", {}).get("severity") not in ("critical", "warning", "info"):
            yield f"{path}: {name}: labels.severity is none of critical, warning and info"


def same(tree, path, document):
    """The operator's resource has the same groups as the file of rules."""
    files = tree.glob("k8s/monitoring/**/*.yaml")
    resources = [one for file in files for one in kinds(tree.yaml(file), "PrometheusRule")]
    if not resources:
        yield "k8s/monitoring: PrometheusRule not found"
    for resource in resources:
        if resource["spec"] != document:
            yield f"PrometheusRule/{resource['metadata']['name']}: spec differs from {path}"


def compose(tree, rules):
    """Prometheus of the Compose file accepts its configuration. Its path of the rules is one inside the container."""
    (document,) = tree.yaml(COMPOSE)
    document["rule_files"] = [str(tree.root / rules)]
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder, "prometheus.yml")
        copy.write_text(yaml.safe_dump(document))
        code, text = run([tool("promtool"), "check", "config", copy])
    if code:
        yield f"{COMPOSE}: promtool check config: {text}"
