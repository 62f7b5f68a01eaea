"""200 viewers of a film against one API: the time of a playlist against that of a request that does nothing."""

import asyncio
import collections
import contextlib
import json
import random
import statistics
import time

from bench import media
from bench.browser import Browser
from bench.earlier import cpu_seconds
from bench.hls import Figures, Viewer
from bench.report import Row, compare
from bench.tools import SAMPLES, say
from bench.upload import forget_peak, memory, memory_row

VIEWERS = 200
ARRIVAL = 1 / 4  # Share of a round in which all viewers come.
PROBES = 2  # Connections that ask for /health.
PAUSE = 0.05  # Seconds between two requests of a probe.
RENDITIONS = "360p,240p,144p"
CPU_LIMIT = 1  # Core.


def measure(system, folder, quick, rounds):
    minutes, seconds = (1, 10) if quick else (5, 40)
    say(f"making and encoding a film of {minutes} minutes")
    rate = ["-b:v", "2000k", "-maxrate", "2500k", "-bufsize", "4000k"]
    minute = media.footage(folder, "minute.mp4", "1280:720", 60, SAMPLES / "speech/fr.ogg", *rate)
    film = media.repeat(minute, minutes)
    job = system.submit(film, "--stages", "scale", "--stream", "--renditions", RENDITIONS)
    system.succeeded(job, "scale")

    api = system.pid("api")
    at_rest = memory(api, "VmRSS")
    forget_peak(api)
    found = []
    for number in range(rounds):
        say(f"viewers: round {number + 1} of {rounds}")
        found.append(asyncio.run(play(system, job, seconds)))
    peak = memory(api, "VmHWM")
    system.delete(job)
    return rows(found, peak, at_rest), {"film": media.describe(film), "rounds": found}


def rows(found, peak, at_rest):
    def middle(name):
        return statistics.median(one[name] for one in found)

    pairs = [(one["playlist_p99_ms"], one["health_p99_ms"]) for one in found]
    cpu = middle("cpu")
    return [
        compare("viewers", f"{VIEWERS} viewers: p99 of a playlist / of `GET /health`", pairs, 3, unit="ms"),
        Row("viewers", "… CPU seconds of the API in a second", f"{cpu:.2f}", "", "", f"≤ {CPU_LIMIT}",
            cpu <= CPU_LIMIT, [one["cpu"] for one in found]),
        memory_row("viewers", "… the API's peak memory", peak, at_rest),
        Row("viewers", "… requests a second to the API / to the object store",
            f"{middle('api_rate'):.0f}", f"{middle('store_rate'):.0f}", ""),
    ]  # fmt: skip


async def play(system, job, seconds):
    """One round: viewers and probes at the same time. The first error ends it."""
    grant = json.loads(system.request("POST", f"/api/v1/jobs/{job}/playback"))
    figures, health, delays = Figures(), [], []
    master, arrival = system.url + grant["hls"], seconds * ARRIVAL
    tasks = [asyncio.ensure_future(viewer(master, number, arrival, figures)) for number in range(VIEWERS)]
    tasks += [asyncio.ensure_future(probe(system.url + "/health", health, delays)) for _ in range(PROBES)]
    used, own, started = cpu_seconds(system.pid("api")), time.process_time(), time.monotonic()
    try:
        ended, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        for task in ended:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
    taken = time.monotonic() - started
    asked_api = sum(figures.answers[server] for server in figures.answers if system.url.endswith(server))
    facts = {
        "playlist_p99_ms": p99(figures.playlists),
        "health_p99_ms": p99(health),
        "playlist_median_ms": statistics.median(figures.playlists) * 1000,
        "health_median_ms": statistics.median(health) * 1000,
        "cpu": (cpu_seconds(system.pid("api")) - used) / taken,
        "api_rate": asked_api / taken,
        "store_rate": (sum(figures.answers.values()) - asked_api) / taken,
        "playlists": len(figures.playlists),
        "segments": figures.segments,
        "segments_late": figures.late,
        "client_cpu": (time.process_time() - own) / taken,
        "client_delay_p99_ms": p99(delays),
    }
    return {name: round(fact, 3) for name, fact in facts.items()}


async def viewer(master, number, arrival, figures):
    """Half of the viewers play the growing lists. When a viewer reaches the end of the film, a new viewer begins."""
    choices = random.Random(number)
    await asyncio.sleep(choices.uniform(0, arrival))
    while True:
        await Viewer(master, number % 2 == 0, figures, choices).watch()


async def probe(url, health, delays):
    """Notes the seconds of each answer, and how late this program itself is: a busy client measures itself."""
    with contextlib.closing(Browser(collections.Counter())) as browser:
        while True:
            due = time.monotonic() + PAUSE
            await asyncio.sleep(PAUSE)
            delays.append(time.monotonic() - due)
            health.append((await browser.get(url)).seconds)


def p99(seconds):
    return statistics.quantiles(seconds, n=100)[98] * 1000
