"""Rows of results, and their presentation."""

import dataclasses
import os
import statistics
from typing import Optional


@dataclasses.dataclass
class Row:
    """One line of the table. A row without a goal explains another row."""

    measure: str
    what: str
    ours: str
    theirs: str
    ratio: str
    goal: str = ""
    met: Optional[bool] = None
    samples: list = dataclasses.field(default_factory=list)


def compare(measure, what, pairs, limit=None, unit="s"):
    """A row of pairs of seconds or of another unit, (ours, theirs); the two of a pair are measured in succession.

    The ratio is the median of the pairs' ratios, because a machine's speed drifts more between pairs than within one.
    It may differ from the quotient of the two medians.
    """
    pairs = list(pairs)
    ratios = [ours / theirs for ours, theirs in pairs]
    ratio = statistics.median(ratios)
    return Row(
        measure,
        what,
        f"{statistics.median(ours for ours, _ in pairs):.2f} {unit}",
        f"{statistics.median(theirs for _, theirs in pairs):.2f} {unit}",
        f"{ratio:.2f} ×" + (f" ({min(ratios):.2f}–{max(ratios):.2f})" if len(pairs) > 1 else ""),
        f"≤ {limit} ×" if limit else "",
        ratio <= limit if limit else None,
        [[round(ours, 3), round(theirs, 3)] for ours, theirs in pairs],
    )


def table(rows):
    """The rows as an aligned Markdown table."""
    head = ["what", "VidP", "compared with", "ratio", "goal", ""]
    lines = [[r.what, r.ours, r.theirs, r.ratio, r.goal, verdict(r)] for r in rows]
    widths = [max(len(line[k]) for line in [head, *lines]) for k in range(len(head))]

    def line(cells):
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths)) + " |"

    return "\n".join([line(head), line(["-" * width for width in widths]), *map(line, lines)])


def verdict(row):
    return {None: "", True: "met", False: "MISSED"}[row.met]


def machine():
    """The processor's name, the number of cores, memory and load."""
    with open("/proc/cpuinfo") as info:
        names = [line.split(":", 1)[1].strip() for line in info if line.startswith("model name")]
    return {
        "processor": names[0] if names else "unknown",
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1),
        "load": os.getloadavg()[0],
    }
