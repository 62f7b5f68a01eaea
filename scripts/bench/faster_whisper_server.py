"""faster-whisper behind a pipe: loads the model once, and answers one file per line.

Reads `{"task": "detect" | "transcribe" | "transcribe-words", "file": …}`, writes `{"language", "text", "seconds"}`.
The seconds include decoding the file, but not loading the model. Runs in the environment that has faster-whisper.
"""

import json
import sys
import time

from faster_whisper import WhisperModel
from faster_whisper.audio import decode_audio


def detect(model, file):
    language, _, _ = model.detect_language(decode_audio(file))
    return language, ""


def transcribe(model, file, words=False):
    # The settings of VidP: greedy, detected language, silence skipped, independent windows. The others are defaults.
    segments, info = model.transcribe(
        file, beam_size=1, vad_filter=True, condition_on_previous_text=False, word_timestamps=words
    )
    return info.language, "".join(segment.text for segment in segments)


def main():
    folder, threads = sys.argv[1:]
    model = WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=int(threads))
    tasks = {
        "detect": detect,
        "transcribe": transcribe,
        "transcribe-words": lambda model, file: transcribe(model, file, words=True),
    }
    for line in sys.stdin:
        asked = json.loads(line)
        started = time.perf_counter()
        language, text = tasks[asked["task"]](model, asked["file"])
        taken = time.perf_counter() - started
        print(json.dumps({"language": language, "text": text, "seconds": taken}), flush=True)


if __name__ == "__main__":
    main()
