"""The tables of `docs/scaling.md`."""

import re

from scaling import load, paper, summary
from scaling.settings import PARTS, ROOT

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
        "parts": ("The day and one film, stage `scale`, by the share of an offered part in the metric", parts(shipped)),
        "spot": (f"The day, stage `scale`, on machines that are taken away every {SPOT // 60} minutes",
                 spot(shipped)),
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
    def term(lane):
        return f"{lane} / {1 / s.offered:g}" if lane == PARTS and s.offered != 1 else lane

    return "; ".join(f"{' + '.join(map(term, lanes))}: {number:g}" for lanes, number in s.targets)


def others(s):
    """The shipped settings, and variants that differ in one setting."""
    (lanes, number), window = s.targets[0], s.down.window
    apart = tuple(((lane,), number) for lane in lanes)
    return [
        (f"as shipped: target {number:g}, window {window} s", {}),
        *((f"target {value:g}", {"target": value}) for value in (1, 2, 5) if value != number),
        ("the largest queue counts", {"targets": apart}),
        *((f"scale-down window {value} s", {"window": value}) for value in (0, 60, 300, 600) if value != window),
        *((f"drain {value} s", {"drain": value}) for value in (20, 120, 540) if value != s.drain),
        ("the metric 45 s old (prometheus-adapter)", {"delay": 45}),
        (f"{s.slots + 1} slots, target {s.slots + 1}", {"slots": s.slots + 1, "target": s.slots + 1}),
    ]  # fmt: skip


SHARES = {
    0: "offered parts do not count",
    1 / 16: "a pod for 16 offered parts",
    1 / 8: "a pod for 8 offered parts",
    1 / 4: "a pod for 4 offered parts",
    1: "a pod for each offered part",
}
FILMS = (20, 120, 600)  # Minutes
SPOT = 1800  # Seconds


def parts(shipped):
    def row(name, change, **options):
        day = summary.day(shipped, change, stages=["scale"], **options)["scale"][2]
        films = [summary.film(shipped, minutes, change) for minutes in FILMS] if not options else []
        alone = [f"{summary.clock(f.drain)}, {f.pod_minutes:.0f} pod-min" for f in films]
        return (name, f"{day.pod_minutes:.0f}", summary.clock(day.done_p50), summary.clock(day.done_p95),
                *(alone or ["" for _ in FILMS]))  # fmt: skip

    head = ("", "pod-min a day", "done p50", "done p95", *(f"{minutes} min alone" for minutes in FILMS))
    rows = [row("every task in one piece", None, in_parts=False)]
    for share, name in SHARES.items():
        shipped_too = " (shipped)" * (share == shipped["scale"].offered)
        rows.append(row(name + shipped_too, lambda s, share=share: s.but(offered=share)))
    return summary.table([head, *rows])


def spot(shipped):
    named = []
    for name, drain, in_parts in (("in parts", 120, True), ("in one piece, drain 120 s", 120, False),
                                  ("in one piece, drain 540 s", 540, False)):  # fmt: skip
        done = summary.day(shipped, lambda s, drain=drain: s.but(drain=drain), stages=["scale"], spot=SPOT,
                           in_parts=in_parts)  # fmt: skip
        named.append((name, done["scale"][2]))
    return summary.rows(named, drained=False)


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
