"""The dashboard, the alerts and the documents use only metrics that the programs declare, in PromQL that parses."""

import json
import pathlib
import re
import tempfile

import yaml

from ..tree import run, tool
from . import alerts

DECLARED = re.compile(r'const (\w+): &str\s*=\s*"(vidp_[a-z0-9_]+)"')
HISTOGRAM = re.compile(r"describe_histogram!\(\s*(\w+)")
USED = re.compile(r"\b(vidp_[a-z0-9_]+)\b(?!:)")
STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"')
SOURCES = ("*/src/metrics.rs", "*/src/metrics/*.rs", "*/src/metrics_*.rs")
DASHBOARDS = "k8s/monitoring/**/grafana/*.json"
# Texts that name metrics: the rules of prometheus-adapter, and the documents.
OTHERS = ("k8s/overlays/prometheus-adapter/*.yaml", "docs/*.md")
DATASOURCES = "deploy/observe/grafana/provisioning/datasources/*.yml"
# Macros and variables of Grafana, and the values that replace them so that PromQL parses.
MACROS = [
    (r"\$__(rate_interval|interval|range)|\$\{__(rate_interval|interval|range)\}", "5m"),
    (r"\$\{?\w+(:\w+)?\}?", "x"),
]


def declared(tree):
    """Names of the series that the programs export, as their sources declare them."""
    found = set()
    for path in tree.glob(*SOURCES):
        text = tree.text(path)
        names, histograms = dict(DECLARED.findall(text)), set(HISTOGRAM.findall(text))
        for constant, name in names.items():
            found |= {name + ending for ending in ("_bucket", "_sum", "_count")} if constant in histograms else {name}
    return found


def check(tree):
    known = declared(tree)
    if not known:
        yield f"no metric is declared in {', '.join(SOURCES)}"
    rules = alerts.find(tree, "alerts.yml")
    (document,) = tree.yaml(rules)
    for rule in (rule for group in document["groups"] for rule in group["rules"]):
        yield from unknown(f"{rules}: {rule.get('alert') or rule.get('record')}", rule["expr"], known)
    for path in tree.glob(*OTHERS):
        yield from unknown(path, tree.text(path), known | in_sentences(tree, known))
    dashboards = tree.glob(DASHBOARDS)
    if not dashboards:
        yield f"{DASHBOARDS}: dashboard not found"
    recorded = {rule["record"] for group in document["groups"] for rule in group["rules"] if "record" in rule}
    for path in dashboards:
        yield from dashboard(tree, path, known, recorded)


def in_sentences(tree, known):
    """Further names in a text: histograms without suffix, and volumes and networks of the Compose project `vidp`."""
    (document,) = tree.yaml("docker-compose.yml")
    made = {f"vidp_{name}" for field in ("volumes", "networks") for name in document.get(field, {})}
    return made | {name.removesuffix("_bucket") for name in known}


def unknown(where, expression, known):
    # The values of labels may look like the names of metrics.
    for name in sorted(set(USED.findall(STRINGS.sub('""', expression))) - known):
        yield f"{where}: {name}: no program declares it"


def dashboard(tree, path, known, recorded):
    try:
        document = json.loads(tree.text(path))
    except json.JSONDecodeError as error:
        yield f"{path}: {error}"
        return
    uids = {source["uid"] for file in tree.glob(DATASOURCES) for source in tree.yaml(file)[0]["datasources"]}
    panels = list(flat(document["panels"]))
    ids = [panel["id"] for panel in panels]
    if len(set(ids)) < len(ids):
        yield f"{path}: two panels have the same id"
    expressions = []
    for panel in panels:
        where = f"{path}: panel {panel['id']} ({panel.get('title')})"
        uid = (panel.get("datasource") or {}).get("uid", "")
        if uid and not uid.startswith("$") and uid not in uids | {"-- Grafana --", "grafana"}:
            yield f"{where}: datasource {uid}: Grafana of the Compose file has only {', '.join(sorted(uids))}"
        found = [target["expr"] for target in panel.get("targets", []) if target.get("expr")]
        if not found and panel["type"] not in ("row", "text", "alertlist", "traces", "logs", "dashlist"):
            yield f"{where}: it has no query"
        for expression in found:
            expressions.append((where, expression))
            yield from unknown(where, expression, known)
            for name in re.findall(r"\b[a-z]\w*:vidp_[\w:]+", expression):
                if name not in recorded:
                    yield f"{where}: {name}: no rule records it"
    yield from parse(expressions)


def flat(panels):
    for panel in panels:
        yield panel
        yield from flat(panel.get("panels", []))


def parse(expressions):
    """Parses each expression as a rule with promtool, whose message names the rule."""
    rules = []
    for number, (_, expression) in enumerate(expressions):
        for pattern, value in MACROS:
            expression = re.sub(pattern, value, expression)
        rules.append({"record": f"panel:{number}", "expr": expression})
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "panels.yml")
        file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}, width=10_000))
        code, text = run([tool("promtool"), "check", "rules", file])
    if code:
        for number, problem in re.findall(r'rule \d+, "panel:(\d+)": (.*)', text) or [(None, text)]:
            yield f"{expressions[int(number)][0] if number else 'dashboard'}: {problem}"
