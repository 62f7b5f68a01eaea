"""Detection in a long video against a short one: the cost must not grow with the length."""

import statistics

from bench import media
from bench.report import Row, compare
from bench.tools import SAMPLES, BenchError, ffmpeg, say

LANGUAGE = "fr"


def measure(system, folder, quick, rounds):
    minutes = 10 if quick else 60
    say(f"making a video of 1 minute, and one of {minutes}")
    # Repeats 33 s of speech and 5 s of silence, because people pause.
    sound = folder / "pauses.flac"
    ffmpeg("-i", SAMPLES / "speech" / f"{LANGUAGE}.ogg", "-af", "apad=pad_dur=5", sound)
    rate = ["-b:v", "900k", "-maxrate", "1200k", "-bufsize", "2400k"]
    short = media.footage(folder, "minute.mp4", "1280:720", 60, sound, *rate)
    long = media.repeat(short, minutes)

    detect(system, short)  # The first job of a worker is slower.
    pairs, shares = [], []
    for number in range(rounds):
        say(f"length: round {number + 1} of {rounds}")
        order = [short, long] if number % 2 == 0 else [long, short]
        found = {clip: detect(system, clip) for clip in order}
        pairs.append((found[long][0], found[short][0]))
        shares.append(found[long][1] / long.stat().st_size)
    share = statistics.median(shares)
    rows = [
        compare("length", f"detect on {minutes} minutes / on 1 minute, the worker's seconds", pairs, 1.5),
        Row(
            "length",
            f"bytes read of the {minutes} minutes / the file's size",
            f"{share * long.stat().st_size / 1e6:.1f} MB",
            f"{long.stat().st_size / 1e6:.0f} MB",
            f"{share * 100:.1f} %",
            "≤ 5 %",
            share <= 0.05,
            [round(share, 5) for share in shares],
        ),
    ]
    return rows, {"long": media.describe(long), "short": media.describe(short)}


def detect(system, clip):
    """Returns the seconds of the worker and the bytes that it read."""
    job = system.submit(clip, "--stages", "detect")
    document, worker = system.succeeded(job, "detect")
    result = document["stages"]["detect"]["result"]
    if result["language"]["code"] != LANGUAGE:
        raise BenchError(f"{clip.name}: detected {result['language']['code']}, {LANGUAGE} is spoken")
    system.delete(job)
    return worker, result["bytes_read"]
