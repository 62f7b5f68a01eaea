"""A scale job against ffmpeg by hand: the same run, and one run per rendition."""

import pathlib
import time

from bench import media
from bench.report import compare
from bench.system import ONE_PIECE, System, arguments, children
from bench.tools import SAMPLES, BenchError, say, seconds

RENDITIONS = ["720p", "480p", "360p"]


def measure(system, folder, quick, rounds):
    """Returns the rows, and details of the measured clip."""
    say("making a clip to scale")
    sound = SAMPLES / "clip.mp4"
    piece = media.footage(folder, "footage.mp4", "1920:1080", 5 if quick else 20, sound, "-crf", "22")
    clip = media.repeat(piece, 2 if quick else 3)

    say("scale: looking at the ffmpeg arguments of a worker that makes no parts")
    own = folder / "whole"
    own.mkdir()
    with System(own, 1000, settings=ONE_PIECE) as whole:
        one, sizes = spy(whole, clip, RENDITIONS)
        each = [spy(whole, clip, [rendition])[0] for rendition in RENDITIONS]

    together, alone = folder / "together", folder / "alone"
    ways = {
        "the job": lambda: job(system, clip),
        "one ffmpeg": lambda: by_hand(one, clip, together),
        "three ffmpegs": lambda: sum(by_hand(command, clip, alone) for command in each),
    }
    times = {way: [] for way in ways}
    for number in range(rounds):
        # The order alternates, so that no way is always first or last.
        for way in list(ways)[:: 1 if number % 2 == 0 else -1]:
            say(f"scale: round {number + 1} of {rounds}, {way}")
            times[way].append(ways[way]())
    made = {path.name: path.stat().st_size for path in together.iterdir()}

    whole, worker = zip(*times["the job"])
    hand, three = times["one ffmpeg"], times["three ffmpegs"]
    rows = [
        compare("scale", "scale job, upload to succeeded / the same ffmpeg run by hand", zip(whole, hand), 1.05),
        compare("scale", "… the worker's part of it, fetch to store", zip(worker, hand)),
        compare("scale", "3 renditions in one job / 3 ffmpeg runs, one each", zip(whole, three), 0.75),
        compare("scale", "… that one ffmpeg run alone", zip(hand, three)),
    ]
    return rows, {
        "clip": media.describe(clip),
        "bytes_equal_those_by_hand": made == sizes,
        "arguments": rewrite(one, pathlib.Path("source"), pathlib.Path("out")),
    }


def job(system, clip):
    """Returns the seconds from the start of the upload to `succeeded`, and those of the worker."""
    started = time.monotonic()
    job = system.submit(clip, "--stages", "scale", "--renditions", ",".join(RENDITIONS))
    _, worker = system.succeeded(job, "scale")
    whole = time.monotonic() - started
    system.delete(job)
    return whole, worker


def spy(system, clip, renditions):
    """Runs a job; returns the arguments of the ffmpeg run that encodes, and the sizes of its renditions in bytes."""
    job = system.submit(clip, "--stages", "scale", "--renditions", ",".join(renditions))
    worker, seen = system.pid("scale-1"), {}
    while not system.is_over(job):
        for pid in children(worker):
            command = arguments(pid)
            # Other runs only read the file, or write a picture.
            if command and pathlib.Path(command[0]).name == "ffmpeg" and command[-1].endswith(".mp4"):
                seen[pid] = command
        time.sleep(0.05)
    document, _ = system.succeeded(job, "scale")
    system.delete(job)
    if len(seen) != 1:
        raise BenchError(
            f"the worker encoded in {len(seen)} ffmpeg runs, but only a single run can be repeated by hand"
        )
    sizes = {output["name"]: output["size"] for output in document["stages"]["scale"]["outputs"]}
    return seen.popitem()[1], {name: size for name, size in sizes.items() if name.endswith(".mp4")}


def rewrite(command, clip, out):
    """The worker's command with other input and output files."""
    source = command[command.index("-i") + 1].removeprefix("file:")
    scratch = str(pathlib.Path(source).parent)
    return [part.replace(source, str(clip)).replace(scratch, str(out)) for part in command]


def by_hand(command, clip, out):
    """Repeats the run; returns its seconds."""
    out.mkdir(exist_ok=True)
    return seconds(rewrite(command, clip, out))
