"""The tables of `docs/scaling.md`."""

import re

from scaling import load, paper, summary
from scaling.settings import LANES, ROOT

DOC = ROOT / "docs" / "scaling.md"


def all_of_them(shipped):
    """Title and table by name."""
    minutes, scale = summary.BURST_SECONDS // 60, others(shipped["scale"])
    least = [(f"minimum {count}", {"least": count}) for count in (1, 0)]
    burst, day = summary.burst(shipped), summary.day(shipped)
    return {
        "costs": ("The cost of a task", costs(shipped)),
        "shipped": ("The shipped settings", settings(shipped)),
        "burst": (f"A burst: {summary.BURST:,} uploads within {minutes} minutes",
                  summary.rows((stage, f) for stage, (_, _, f) in burst.items())),
        "day": (f"A day: {summary.DAY:,} uploads with peaks at 10:00 and 20:00",
                summary.rows(((stage, f) for stage, (_, _, f) in day.items()), drained=False)),
        "burst-others": ("The burst, stage `scale`, other settings",
                         compare(shipped, "scale", summary.burst, scale)),
        "day-others": ("The day, stage `scale`, other settings", compare(shipped, "scale", summary.day, scale)),
        "outage": ("The burst, stage `scale`; from minute 20 to minute 40 the broker does not answer",
                   compare(shipped, "scale", summary.burst, fallbacks(shipped["scale"]), outages=[(1200, 2400)])),
        "zero": (f"A day of {summary.QUIET} uploads, stage `subtitle`",
                 compare(shipped, "subtitle", summary.quiet, least)),
        "paper": ("On paper: the load of many videos a day", paper.table(shipped)),
    }  # fmt: skip


def written(document, shipped):
    """The document with current tables. Each table stands between two comments, and the first has its name."""
    for name, (_, table) in all_of_them(shipped).items():
        place = re.compile(f"(<!-- table {name}: .*? -->\n).*?(<!-- end -->)", re.DOTALL)
        document = place.sub(lambda found, table=table: f"{found[1]}\n{table}\n\n{found[2]}", document)
    return document


def costs(shipped):
    rows = [("", "CPU a task", "CPU a minute of video", "threads use", "the pod has",
             f"a video of {load.mean_seconds() / 60:.1f} minutes takes")]  # fmt: skip
    for stage, cost in load.costs().items():
        cpus, mean = shipped[stage].cpus, load.mean_seconds()
        rows.append((stage, f"{cost.fixed:.1f} s", f"{cost.slope:.1f} s", f"{cost.shared:.0%}", f"{cpus:g} CPU",
                     f"{cost.seconds(mean, cpus):.1f} s"))  # fmt: skip
    return summary.table(rows)


def settings(shipped):
    rows = [("", "replicas", "target", "slots", "drain", "up: window; rate", "down: window; rate")]
    for stage, s in shipped.items():
        up, down = (f"{rules.window} s; " + f", {rules.select.lower()} of " * (len(rules.policies) > 1)
                    + ", ".join(policy(p) for p in rules.policies) for rules in (s.up, s.down))  # fmt: skip
        rows.append((stage, f"{s.least} to {s.most}", target(s), str(s.slots), f"{s.drain} s", up.replace("; , ", "; "),
                     down.replace("; , ", "; ")))  # fmt: skip
    return summary.table(rows)


def policy(p):
    return f"{p.value}{' %' if p.type == 'Percent' else ' pod' + 's' * (p.value > 1)} in {p.period} s"


def target(s):
    return "; ".join(f"{' + '.join(lanes)}: {number:g}" for lanes, number in s.targets)


def others(s):
    """The shipped settings, and variants that differ in one setting."""
    number, window = s.targets[0][1], s.down.window
    together, apart = ((LANES, number),), tuple(((lane,), number) for lane in LANES)
    return [
        (f"as shipped: target {number:g}, window {window} s", {}),
        *((f"target {value:g}", {"target": value}) for value in (1, 2, 5) if value != number),
        ("the larger lane counts", {"targets": apart}) if len(s.targets) == 1 else
        ("the sum of the lanes counts", {"targets": together}),
        *((f"scale-down window {value} s", {"window": value}) for value in (0, 60, 300, 600) if value != window),
        *((f"drain {value} s", {"drain": value}) for value in (20, 120) if value != s.drain),
        ("the metric 45 s old (prometheus-adapter)", {"delay": 45}),
        (f"{s.slots + 1} slots, target {s.slots + 1}", {"slots": s.slots + 1, "target": s.slots + 1}),
    ]  # fmt: skip


def fallbacks(s):
    """The fallbacks that KEDA can report to the HPA during an outage."""
    count = (s.fallback or {"replicas": 3})["replicas"]
    some = {"failureThreshold": 3, "replicas": count}
    return [
        ("as shipped", {}),
        ("no fallback", {"fallback": None}),
        (f"{count} replicas", {"fallback": some}),
        (f"{count} replicas, or as many as there are", {"fallback": {**some, "behavior": "currentReplicasIfHigher"}}),
    ]


def compare(shipped, stage, scenario, changes, **options):
    named = []
    for name, change in changes:
        done = scenario(shipped, lambda s, change=change: s.but(**change), stages=[stage], **options)
        named.append((name, done[stage][2]))
    return summary.rows(named, drained=scenario is summary.burst)
