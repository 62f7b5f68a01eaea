"""The load of many videos a day on every part, calculated from measurements of few videos."""

import statistics

from scaling import load, summary

# Measured on one job of 90 s (all stages, the default renditions): the document's `rev` (the job's `ETag`) and the
# seconds of its stages, its BSON size, the bytes in the streams, and the requests to the object store, which a proxy
# counted.
REVISIONS, RUNNING_SECONDS = 56, 65
DOCUMENT_BYTES, INDEXES = 9858, 9
TASK_BYTES, RESULT_BYTES = (
    700,
    9449,
)  # A task has 599 bytes and its `traceparent`; the second number is for the results of three stages.
REQUESTS, PART = 38, 5 * 2**20  # Without the parts of multipart uploads.
TASKS_PER_REPLICA = 100  # Running tasks whose progress keeps one replica busy: see docs/scaling.md.
# common/src/queue/settings.rs, and the default of VIDP_RETENTION_DAYS
STREAM_LIMIT, ACK_PENDING, RETENTION = 512 << 20, 10_000, 30
INDEX_ENTRY = 60  # Bytes, an estimate


def peak_factor():
    """The ratio of the busiest hour to the mean hour of the replayed day."""
    hours = [0] * 24
    for time in load.day(100_000, summary.SEED):
        hours[int(time // 3600)] += 1
    return max(hours) * 24 / sum(hours)


def megabytes():
    """Megabytes of a video of mean length and of its renditions, at the bit rates of the measured clips."""
    tasks, _ = load.measured()
    each = [(task["megabytes"] / task["media_seconds"], task["output_megabytes"] / task["media_seconds"])
            for task in tasks["scale"]]  # fmt: skip
    return [statistics.mean(values) * load.mean_seconds() for values in zip(*each)]


def table(shipped, a_day=(10_000, 1_000_000)):
    columns = [column(shipped, count) for count in a_day]
    head = ("", *(f"{count:,} a day" for count in a_day))
    return summary.table([head, *((name, *(c[name] for c in columns)) for name in columns[0])])


def column(shipped, count):
    mean, peak = count / 86400, count / 86400 * peak_factor()
    source, outputs = megabytes()
    seconds = {stage: cost.seconds(load.mean_seconds(), shipped[stage].cpus) for stage, cost in load.costs().items()}
    running = peak * sum(seconds.values())
    writes, replicas = running * REVISIONS / RUNNING_SECONDS, max(2, round(running / TASKS_PER_REPLICA + 0.5))
    parts = (source + outputs / 2) * 1e6 / PART  # The largest rendition has about half of the bytes.
    pods = {stage: (mean * s / shipped[stage].slots, peak * s / shipped[stage].slots) for stage, s in seconds.items()}
    return {
        "uploads a second, mean / peak": f"{mean:.2f} / {peak:.2f}",
        **{f"pods of `{stage}`, mean / peak": f"{a:,.1f} / {b:,.1f}" for stage, (a, b) in pods.items()},
        "tasks running at peak": f"{running:,.0f}",
        "leases at peak, of the 10,000 of a consumer": f"{max(b for _, b in pods.values()) / ACK_PENDING:.1%}",
        "MongoDB writes a second at peak": f"{writes:,.0f}",
        "API replicas that these keep busy": f"{replicas}",
        "change events a second to all of them": f"{writes * replicas:,.0f}",
        f"documents of {RETENTION} days": f"{count * RETENTION / 1e6:,.1f} million, "
        f"{count * RETENTION * DOCUMENT_BYTES / 1e9:,.0f} GB + "
        f"{count * RETENTION * INDEXES * INDEX_ENTRY / 1e9:,.1f} GB of indexes",
        "broker: stored messages a second at peak": f"{peak * 6:,.1f}",
        "VIDP_TASKS is full after a standstill of": span(STREAM_LIMIT / (3 * TASK_BYTES) / mean),
        "VIDP_RESULTS (7 days) holds": span(min(7 * 86400, STREAM_LIMIT / RESULT_BYTES / mean)),
        "uploads at peak": f"{peak * source * 8 / 1000:,.2f} Gbit/s",
        "between bucket and workers at peak": f"{peak * (2 * source + outputs) * 8 / 1000:,.2f} Gbit/s",
        "bucket requests a second at peak": f"{peak * (REQUESTS + parts):,.0f}",
        "bucket, a day": f"{count * (source + outputs) / 1e6:,.1f} TB",
        f"bucket, {RETENTION} days": f"{count * (source + outputs) * RETENTION / 1e6:,.0f} TB",
        "tasks waiting after an hour's standstill": f"{mean * 3600 * 3:,.0f}",
    }


def span(seconds):
    days, hours = seconds / 86400, seconds / 3600
    return f"{days:.1f} days" if days >= 2 else f"{hours:.1f} hours" if hours >= 2 else f"{seconds / 60:.0f} minutes"
