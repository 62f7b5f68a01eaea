"""Time from a job's start until its stream can be played, against the time of the whole stage, and for a long film."""

import datetime
import time

from bench import media
from bench.report import compare
from bench.tools import SAMPLES, BenchError, say

OPTIONS = ["--stages", "scale", "--stream", "--renditions", "480p,360p,240p"]
LIMIT = 600


def measure(system, folder, quick, rounds):
    short_minutes, long_minutes = (1, 5) if quick else (5, 60)
    say(f"making films of {short_minutes} and {long_minutes} minutes")
    rate = ["-b:v", "2000k", "-maxrate", "2500k", "-bufsize", "4000k"]
    minute = media.footage(folder, "minute.mp4", "1280:720", 60, SAMPLES / "speech/fr.ogg", *rate)
    short, long = media.repeat(minute, short_minutes), media.repeat(minute, long_minutes)

    playable(system, short)  # The first job of a worker is slower.
    whole, lengths = [], []
    for number in range(rounds):
        say(f"playable: round {number + 1} of {rounds}")
        first, all_of_it = ended(system, short)
        whole.append((first, all_of_it))
        lengths.append((playable(system, long), first))
    rows = [
        compare("playable", f"first part of {short_minutes} minutes / the whole stage", whole, 0.05),
        compare("playable", f"first part of {long_minutes} minutes / of {short_minutes} minutes", lengths, 1.2),
    ]
    return rows, {"short": media.describe(short), "long": media.describe(long)}


def ended(system, film):
    """Seconds from the start of the stage to its first part that can be played, and to its end."""
    job = system.submit(film, *OPTIONS)
    document, _ = system.succeeded(job, "scale")
    system.delete(job)
    stage = document["stages"]["scale"]
    return seconds(document, document["playable_at"]), seconds(document, stage["finished_at"])


def playable(system, film):
    """Seconds from the start of the stage to its first part that can be played. The job is cancelled then."""
    job = system.submit(film, *OPTIONS)
    until = time.monotonic() + LIMIT
    while not (document := system.job(job))["playable_at"]:
        if time.monotonic() > until or system.is_over(job):
            raise BenchError(f"{film.name} cannot be played before it is complete")
        time.sleep(0.2)
    system.request("POST", f"/api/v1/jobs/{job}/cancel")
    system.wait(job)
    system.delete(job)
    return seconds(document, document["playable_at"])


def seconds(document, end):
    """Seconds from the start of the stage `scale`."""
    start = document["stages"]["scale"]["started_at"]
    return (datetime.datetime.fromisoformat(end) - datetime.datetime.fromisoformat(start)).total_seconds()
