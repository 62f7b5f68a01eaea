"""Measures the duration of one task of each stage on the real system: the release binaries under `vidp up`.

One task runs at a time, so only other programs of the machine share the processors with it. The result has the load,
and the CPU seconds of the worker and its children beside the wall-clock seconds.
"""

import json
import os
import pathlib
import subprocess
import tempfile

from bench import media
from bench.system import System
from bench.tools import ROOT, SAMPLES, BenchError, ffmpeg

TICK = os.sysconf("SC_CLK_TCK")
# Name, picture, seconds of footage, times repeated, language, silence after each speech, bits: ordinary uploads.
CLIPS = [
    ("talk-720p-30s", "1280:720", 30, 1, "en", 5, "900k"),
    ("talk-720p-60s", "1280:720", 60, 1, "fr", 5, "900k"),
    ("half-720p-120s", "1280:720", 60, 2, "es", 30, "900k"),
    ("talk-1080p-30s", "1920:1080", 30, 1, "it", 5, "4M"),
    ("half-1080p-60s", "1920:1080", 60, 1, "fr", 30, "4M"),
]
LONG = ("talk-720p-240s", "talk-720p-60s", 4)  # Speech only: its picture would cost minutes.


def cpu_seconds(pid):
    """CPU seconds of a process, and of its children that have ended."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(field) for field in fields[11:15]) / TICK


def one(system, clip, stage, *options):
    """Runs one task; returns the timings of the API and the CPU time."""
    pid = system.pid(f"{stage}-1")
    load, before = os.getloadavg()[0], cpu_seconds(pid)
    job = system.submit(clip, "--stages", stage, *options)
    document, seconds = system.succeeded(job, stage)
    cpu = cpu_seconds(pid) - before
    result, timings = document["stages"][stage]["result"], document["stages"][stage]["timings"]
    system.delete(job)
    return {
        "stage": stage,
        "clip": clip.stem,
        "media_seconds": round(duration(clip), 1),
        "megabytes": round(clip.stat().st_size / 1e6, 2),
        "speech_seconds": result.get("speech_seconds"),
        "output_megabytes": round(sum(output["size"] for output in document["stages"][stage]["outputs"]) / 1e6, 2),
        "service_seconds": round(seconds, 2),
        "timings": {name: round(value, 3) for name, value in timings.items()},
        "cpu_seconds": round(cpu, 2),
        "document_bytes": len(json.dumps(document, separators=(",", ":"))),
        "load": round(load, 2),
    }


def duration(clip):
    shown = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(clip)]
    return float(subprocess.run(shown, check=True, capture_output=True, text=True).stdout)


def clips(folder):
    """Creates the uploads: a picture with the spectrum of footage, and recorded speech."""
    made = {}
    for name, size, seconds, times, language, pause, bits in CLIPS:
        sound = folder / f"{name}.flac"
        ffmpeg("-i", SAMPLES / "speech" / f"{language}.ogg", "-af", f"apad=pad_dur={pause}", sound)
        rate = ["-b:v", bits, "-maxrate", bits, "-bufsize", "8M"]
        clip = media.footage(folder, f"{name}.mp4", size, seconds, sound, *rate)
        made[name] = media.repeat(clip, times).rename(folder / f"{name}.mp4") if times > 1 else clip
    name, of, times = LONG
    made[name] = media.repeat(made[of], times).rename(folder / f"{name}.mp4")
    return made


def measure(out):
    """Runs every clip through every stage and writes the measurements."""
    place = ROOT / "bench-out"
    place.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="scaling-", dir=place) as folder:
        folder = pathlib.Path(folder)
        tasks, made = [], clips(folder)
        data = folder / "vidp"
        data.mkdir()
        with System(data, max_upload_mb=500) as system:
            one(system, SAMPLES / "clip.mp4", "detect")  # The first tasks of a worker are slower.
            one(system, SAMPLES / "clip.mp4", "subtitle", "--language", "en")
            for name, clip in made.items():
                for stage in ("detect", "subtitle", "scale"):
                    if stage == "scale" and name == LONG[0]:
                        continue
                    known = ["--language", language(name)] if stage == "subtitle" else []
                    tasks.append(one(system, clip, stage, *known))
                    print(f"scaling: {stage:<8} {name:<16} {tasks[-1]['service_seconds']:>7} s", flush=True)
    document = {
        "command": "nice -n 19 python3 scripts/scaling.py measure",
        "machine": machine(),
        "settings": "defaults: one slot, renditions 720p+480p+360p, x264 veryfast, Whisper base q8_0",
        "tasks": tasks,
    }
    out.write_text(json.dumps(document, indent=1) + "\n")


def language(name):
    """The spoken language. A job that names it runs `subtitle` without `detect`, so that one stage is measured."""
    return {row[0]: row[4] for row in CLIPS}.get(name, "fr")


def machine():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    models = [line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")]
    if not models:
        raise BenchError("no processor in /proc/cpuinfo")
    return {"processor": models[0], "cores": len(os.sched_getaffinity(0)), "load": "of the minute before each task"}
