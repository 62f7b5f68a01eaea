"""The pictures of `docs/scaling.md`: depth and replicas over time, 900 pixels wide."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from scaling import summary

DEPTH, REPLICAS, PODS = "#9ecae1", "#c0392b", "#444444"
OTHERS = ("#c0392b", "#2c7fb8", "#31a354", "#756bb1")
plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "figure.dpi": 100, "savefig.dpi": 100,
                     "font.family": "DejaVu Sans", "axes.titlelocation": "left", "axes.titlesize": 11,
                     "svg.hashsalt": "vidp"})  # fmt: skip


def all_of_them(shipped, folder):
    folder.mkdir(parents=True, exist_ok=True)
    burst, day = summary.burst(shipped), summary.day(shipped)
    stages(burst, 60, "minutes", f"{summary.BURST:,} uploads within {summary.BURST_SECONDS // 60} minutes",
           folder / "scaling-burst.png", lambda f: f"drained after {summary.clock(f.drain)}")  # fmt: skip
    stages(day, 3600, "hour of the day", f"A day of {summary.DAY:,} uploads", folder / "scaling-day.png",
           lambda f: f"at most {f.peak} pods, busy {f.busy:.0%}")  # fmt: skip
    compared(shipped, folder / "scaling-settings.png")


def save(figure, path):
    # Without the version of matplotlib inside, the same results make the same bytes.
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)
    print(path)


def columns(outcome, unit):
    times, depth, running, replicas, pods = zip(*outcome.series)
    return [time / unit for time in times], depth, running, replicas, pods


def stages(done, unit, label, title, path, headline):
    figure, panels = plt.subplots(len(done), 1, figsize=(9, 8.4), layout="constrained")
    figure.suptitle(title, fontsize=13)
    for panel, (stage, (settings, outcome, f)) in zip(panels, done.items()):
        times, depth, _, replicas, pods = columns(outcome, unit)
        area = panel.fill_between(times, depth, step="post", color=DEPTH)
        panel.set_ylabel("tasks")
        right = panel.twinx()
        (dots,) = right.step(times, pods, where="post", color=PODS, linewidth=0.8, linestyle=":")
        (line,) = right.step(times, replicas, where="post", color=REPLICAS, linewidth=1.4)
        right.set_ylabel("pods")
        top, target = max(max(pods) * 1.25, 4), settings.targets[0][1]
        if max(depth) / target <= 1.5 * top:  # Both axes on one scale: the target number of tasks for the pods.
            top = max(top, max(depth) / target * 1.1)
            panel.set_ylim(0, top * target)
        else:
            panel.set_ylim(0, max(depth) * 1.25)
        right.set_ylim(0, top)
        if top > settings.most:
            right.axhline(settings.most, color=REPLICAS, linewidth=0.6, linestyle="--", alpha=0.6)
            right.annotate(f"maximum {settings.most}", (1, settings.most), xycoords=("axes fraction", "data"),
                           ha="right", va="bottom", fontsize=8, color=REPLICAS)  # fmt: skip
        panel.set_xlim(0, max(times))
        panel.set_title(f"{stage}: {headline(f)}, {f.pod_minutes:,.0f} pod-minutes, "
                        f"95 % wait at most {summary.clock(f.wait_p95)}")  # fmt: skip
    panels[-1].set_xlabel(label)
    figure.legend([area, line, dots], ["tasks waiting and running (left)", "replicas (right)",
                  "with pods that still drain (right)"], loc="outside lower center", ncols=3, fontsize=9,
                  frameon=False)  # fmt: skip
    save(figure, path)


def compared(shipped, path):
    """Stage `scale` in the morning of the day: targets, and windows of scaleDown."""
    s = shipped["scale"]
    figure, panels = plt.subplots(2, 1, figsize=(9, 6.6), layout="constrained")
    figure.suptitle("scale: replicas under other settings, in the morning of the day", fontsize=13)
    number, window = s.targets[0][1], s.down.window
    for panel, title, changes in zip(panels, ("Targets", "Windows of scaleDown"), (
        [(f"target {value:g}", {"target": value}) for value in sorted({1, 5, number})],
        [(f"{value} s", {"window": value}) for value in sorted({0, 900, window})],
    )):  # fmt: skip
        panel.set_title(f"{title} (shipped: target {number:g}, window {window} s)")
        lines(panel, shipped, changes)
    panels[-1].set_xlabel("hour of the day")
    save(figure, path)


def lines(panel, shipped, changes):
    for (name, change), color in zip(changes, OTHERS):
        done = summary.day(shipped, lambda s, change=change: s.but(**change), stages=["scale"])
        _, outcome, f = done["scale"]
        times, _, _, replicas, _ = columns(outcome, 3600)
        panel.step(times, replicas, where="post", color=color, linewidth=1.1,
                   label=f"{name}: {f.pod_minutes:,.0f} pod-minutes a day, 95 % wait at most "
                         f"{summary.clock(f.wait_p95)}, {f.handovers:,} handed over")  # fmt: skip
    panel.set_ylabel("replicas")
    panel.set_xlim(8, 13)
    panel.set_ylim(0, max(replicas) * 1.6)
    panel.legend(fontsize=8, loc="upper right", framealpha=0.9)
