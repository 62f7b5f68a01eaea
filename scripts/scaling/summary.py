"""The results of a replay as a few numbers, and the scenarios of `docs/scaling.md`."""

import dataclasses
import itertools
import statistics

from scaling import load
from scaling.replay import Replay

SEED = 2026
BURST, BURST_SECONDS = 1000, 300
DAY, QUIET = 5000, 100


@dataclasses.dataclass(frozen=True)
class Summary:
    drain: float  # Seconds from the first arrival to the end of the last task.
    least_drain: float  # The same with the maximum number of pods from the start, none idle before the end.
    work: float  # Seconds of service of all tasks.
    peak: int
    pod_minutes: float
    busy: float  # Share of the pods' time.
    handovers: int
    wasted_minutes: float
    started: int  # Pods, not counting those at the start.
    reversals: int
    most_attempts: int
    wait_p50: float
    wait_p95: float
    interactive_p95: float
    batch_p95: float
    done_p50: float  # Seconds from the arrival of a task to its end.
    done_p95: float


def film(shipped, minutes, change=None):
    """One film of ordinary content on an idle system: the summary of stage `scale`."""
    settings = change(shipped["scale"]) if change else shipped["scale"]
    seconds, cost = minutes * 60, load.costs()["scale"]
    task = load.Task(0, "interactive", cost.line(seconds) / cost.shared, 0, load.parts(seconds))
    return summarize(settings, Replay(settings, [task], SEED).run())


def reversals(series):
    """The number of changes of direction of the replicas: up, then down is one."""
    counts = [row[3] for row in series]
    steps = [after - before for before, after in itertools.pairwise(counts) if after != before]
    return sum(a * b < 0 for a, b in itertools.pairwise(steps))


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def summarize(settings, outcome):
    tasks = outcome.tasks
    work = sum(task.service for task in tasks)
    waits = {lane: [t.wait for t in tasks if t.lane == lane] for lane in ("interactive", "batch")}
    both = waits["interactive"] + waits["batch"]
    arrivals = [task.arrival for task in tasks]
    return Summary(
        drain=max(task.finished for task in tasks) - min(arrivals),
        least_drain=max(work / settings.slots / settings.most, max(arrivals) - min(arrivals)),
        work=work,
        peak=max(row[3] for row in outcome.series),
        pod_minutes=outcome.pod_seconds / 60,
        busy=(work + outcome.wasted) / settings.slots / outcome.pod_seconds,
        handovers=outcome.handovers,
        wasted_minutes=outcome.wasted / 60,
        started=outcome.started,
        reversals=reversals(outcome.series),
        most_attempts=max(task.attempts for task in tasks),
        wait_p50=statistics.median(both),
        wait_p95=percentile(both, 0.95),
        interactive_p95=percentile(waits["interactive"], 0.95),
        batch_p95=percentile(waits["batch"], 0.95),
        done_p50=statistics.median(task.finished - task.arrival for task in tasks),
        done_p95=percentile([task.finished - task.arrival for task in tasks], 0.95),
    )


def run(shipped, arrivals, change=None, stages=load.STAGES, until=0, seed=SEED, in_parts=True, **options):
    """Replays these uploads through the stages: (settings, outcome, summary) of each. `change` alters the settings."""
    tasks, done = load.uploads(arrivals, seed, in_parts), {}
    for stage in stages:
        settings = change(shipped[stage]) if change else shipped[stage]
        if (
            stage == "subtitle" and "detect" in done
        ):  # `subtitle` waits for `detect`, unless the caller named the language.
            tasks[stage] = load.after(tasks[stage], tasks["detect"])
        outcome = Replay(settings, tasks[stage], seed, until=until, **options).run()
        done[stage] = settings, outcome, summarize(settings, outcome)
    return done


def burst(shipped, change=None, seed=SEED, **options):
    return run(shipped, load.burst(BURST, BURST_SECONDS, seed), change, seed=seed, **options)


def quiet(shipped, change=None, seed=SEED, **options):
    return run(shipped, load.day(QUIET, seed), change, until=86400, seed=seed, **options)


def day(shipped, change=None, seed=SEED, **options):
    return run(shipped, load.day(DAY, seed), change, until=86400, seed=seed, **options)


HEAD = ("", "drained", "at best", "peak", "pod-min", "busy", "handed over", "wasted", "started", "reversals",
        "wait p50", "wait p95", "batch p95", "done p50", "done p95")  # fmt: skip


def rows(named, drained=True):
    """A table of summaries. `drained=False` omits the columns about the end, which a day does not need."""
    lines = [HEAD, *(row(name, f) for name, f in named)]
    return table([line if drained else line[:1] + line[3:] for line in lines])


def row(name, f):
    return (name, clock(f.drain), clock(f.least_drain), f"{f.peak}", f"{f.pod_minutes:.0f}", f"{f.busy:.0%}",
            f"{f.handovers}", f"{f.wasted_minutes:.1f} min", f"{f.started}", f"{f.reversals}",
            clock(f.wait_p50), clock(f.wait_p95), clock(f.batch_p95),
            clock(f.done_p50), clock(f.done_p95))  # fmt: skip


def clock(seconds):
    """1:02:03, 4:05 or 6 s."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"


def table(rows):
    """An aligned Markdown table; the first row is the head."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths)) + " |" for cells in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
