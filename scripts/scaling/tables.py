"""The tables of `docs/scaling.md`."""

from scaling import figures, load
from scaling.settings import LANES


def show(shipped):
    print("### What a task costs\n")
    print(costs(shipped))
    print("\n### What is shipped\n")
    print(settings(shipped))
    print(f"\n### A burst: {figures.BURST:,} uploads within {figures.BURST_SECONDS // 60} minutes\n")
    done = figures.burst(shipped)
    print(figures.rows((stage, f) for stage, (_, _, f) in done.items()))
    print(f"\n### A day: {figures.DAY:,} uploads with peaks at 10:00 and 20:00\n")
    done = figures.day(shipped)
    print(figures.rows(((stage, f) for stage, (_, _, f) in done.items()), drained=False))
    print("\n### Other settings, stage `scale`\n\nThe burst:\n")
    print(compare(shipped, "scale", figures.burst, others(shipped["scale"])))
    print("\nThe day:\n")
    print(compare(shipped, "scale", figures.day, others(shipped["scale"])))
    print("\n### The broker cannot be asked from minute 20 to minute 40 of the burst, stage `scale`\n")
    print(compare(shipped, "scale", figures.burst, fallbacks(shipped["scale"]), outages=[(1200, 2400)]))
    print(f"\n### Scale to zero: a day of {figures.QUIET} uploads, stage `subtitle`\n")
    least = [(f"minimum {count}", {"least": count}) for count in (1, 0)]
    print(compare(shipped, "subtitle", figures.quiet, least))


def costs(shipped):
    rows = [("", "CPU a task", "CPU a minute of video", "threads use", "the pod has",
             f"a video of {load.mean_seconds() / 60:.1f} minutes takes")]  # fmt: skip
    for stage, cost in load.costs().items():
        cpus, mean = shipped[stage].cpus, load.mean_seconds()
        rows.append((stage, f"{cost.fixed:.1f} s", f"{cost.slope:.1f} s", f"{cost.shared:.0%}", f"{cpus:g} CPU",
                     f"{cost.line(mean) / cost.shared / cpus:.1f} s"))  # fmt: skip
    return figures.table(rows)


def settings(shipped):
    rows = [("", "replicas", "target", "slots", "drain", "up: window; rate", "down: window; rate")]
    for stage, s in shipped.items():
        up, down = (f"{rules.window} s; " + f", {rules.select.lower()} of " * (len(rules.policies) > 1)
                    + ", ".join(policy(p) for p in rules.policies) for rules in (s.up, s.down))  # fmt: skip
        rows.append((stage, f"{s.least} to {s.most}", target(s), str(s.slots), f"{s.drain} s", up.replace("; , ", "; "),
                     down.replace("; , ", "; ")))  # fmt: skip
    return figures.table(rows)


def policy(p):
    return f"{p.value}{' %' if p.type == 'Percent' else ' pod' + 's' * (p.value > 1)} in {p.period} s"


def target(s):
    return "; ".join(f"{' + '.join(lanes)}: {number:g}" for lanes, number in s.targets)


def others(s):
    """The shipped settings and others, one thing changed at a time."""
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
    """What KEDA may tell the HPA meanwhile."""
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
    return figures.rows(named, drained=scenario is figures.burst)
