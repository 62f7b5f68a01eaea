"""The query of prometheus-adapter is right for several replicas, and returns no value while the metric is unknown."""

import pathlib
import re
import tempfile

import yaml

from ..tree import run, tool

VALUES = "k8s/overlays/prometheus-adapter/adapter-values.yaml"
METRIC = "vidp_queue_depth"
ASKED = 'stage="scale"'
# The values of two replicas of the API for (interactive, batch, parts), and the value that the autoscaler must receive.
CASES = {
    "both know the queues": ([("3", "5", "0"), ("2", "5", "0")], 8),
    "one replica has lost the broker": ([("NaN", "NaN", "NaN"), ("2", "5", "0")], 7),
    "the broker is down": ([("NaN", "NaN", "NaN"), ("NaN", "NaN", "NaN")], None),
    "nothing waits": ([("0", "0", "0"), ("0", "0", "0")], 0),
    "parts are offered": ([("1", "0", "12"), ("1", "0", "16")], 3),
}


def check(tree):
    (document,) = tree.yaml(VALUES)
    found = [rule for rule in document["rules"]["external"] if rule["name"]["as"] == METRIC]
    if len(found) != 1:
        yield f"{VALUES}: expected one rule for {METRIC}, found {len(found)}"
    for rule in found:
        query = rule["metricsQuery"].replace("<<.Series>>", METRIC).replace("<<.LabelMatchers>>", ASKED)
        yield from (f"{VALUES}: {METRIC}: {problem}" for problem in answers(query))


def answers(query):
    """Runs the query on each case with promtool, whose message has the actual value."""
    tests = [
        {
            "name": name,
            "interval": "1m",
            "input_series": [
                {"series": f'{METRIC}{{stage="{stage}",lane="{lane}",instance="api-{number}"}}', "values": value}
                for number, values in enumerate(replicas)
                for lane, value in zip(("interactive", "batch", "parts"), values)
                for stage in ("scale", "detect")
            ],
            "promql_expr_test": [
                {
                    "expr": query,
                    "eval_time": "0m",
                    "exp_samples": [] if wanted is None else [{"labels": '{stage="scale"}', "value": wanted}],
                }
            ],
        }
        for name, (replicas, wanted) in CASES.items()
    ]
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "adapter.test.yml")
        file.write_text(yaml.safe_dump({"tests": tests}, width=10_000))
        code, text = run([tool("promtool"), "test", "rules", file])
    if code:
        yield "promtool test rules: " + re.sub(r"\s+", " ", text.partition("FAILED:")[2] or text).strip()
