"""Compares what VidP answered with what is right. Each function returns sentences about what is wrong."""

import re

from zoo import closed, media
from zoo.case import Film, Spoken

# Most milliseconds that sound and picture may move against each other.
SYNC = 0.010
# Seconds of an AAC frame at 48 kHz, by whole ones of which the sound may be longer.
AUDIO_FRAME = 0.0214
# A poster is black when it is darker than this share of the brightest picture.
DARK = 0.1
TIME = re.compile(r"(\d+):(\d\d):(\d\d)[,.](\d{3})")


def outcome(stage):
    """`succeeded`, or the code of a failure or a skip."""
    error = stage.get("error") or {}
    return (
        "succeeded" if stage["status"] == "succeeded" else error.get("code") or stage.get("reason") or stage["status"]
    )


def judge(case, job, source, fetch):
    """Everything that is wrong with a job. `fetch` stores an output by its name and returns the path."""
    stages = job["stages"]
    wrong = []
    if case.scale is not None:
        wrong += verdict("scale", case.scale, Film, stages["scale"])
        if not wrong and isinstance(case.scale, Film):
            wrong += rendition(case.scale, stages["scale"]["result"], source, fetch)
    if case.speech is not None:
        for stage in ("detect", "subtitle"):
            wrong += verdict(stage, case.speech, Spoken, stages[stage])
        if not wrong and isinstance(case.speech, Spoken):
            wrong += captions(case.speech, stages, fetch)
    if case.scale is not None and case.speech is not None:
        answers = (case.scale, case.speech)
        failed = [answer for answer in answers if isinstance(answer, str) and not answer.startswith("no_")]
        expected = "partial" if failed else "succeeded"
        if job["status"] != expected:
            wrong.append(f"the job is {job['status']}, not {expected}")
    return wrong


def verdict(stage, expected, kind, document):
    found = outcome(document)
    right = "succeeded" if isinstance(expected, kind) else expected
    if found in right.split("|"):
        return []
    detail = (document.get("error") or {}).get("detail", "")
    return [f"{stage} is {found}, not {right}" + (f" ({detail})" if detail else "")]


def rendition(film, result, source, fetch):
    made = result["renditions"][0]
    path = fetch(f"scale/{made['name']}")
    facts = media.streams(path)
    found = media.pictures(path)
    wrong = []
    if errors := media.decoding_errors(path):
        wrong.append(f"the rendition does not decode: {errors[-200:]}")
    wrong += shape(film, facts, result["media"])
    if not found:
        return [*wrong, "the rendition has no pictures"]
    wrong += timing(film, path, source, found)
    if film.comb is not None and (teeth := media.comb(path)) > film.comb:
        wrong.append(f"the comb figure is {teeth:.1f}, not below {film.comb}")
    if film.bars and (bars := media.bars(path, found[-1][0] - 0.5 / film.rate)) < film.bars:
        wrong.append(f"the bars take {bars:.2f} of the picture, not {film.bars} or more")
    wrong += closed_captions(film.captions, path, result["streams"])
    return wrong + previews(film, found, fetch)


def closed_captions(fate, path, listed):
    """The result says what became of closed captions, and that is true."""
    found = [stream["fate"] for stream in listed if stream["kind"] == "captions"]
    wrong = [] if found == ([fate] if fate else []) else [f"closed captions are listed as {found}, not {fate}"]
    text = media.closed_captions(path) if fate else ""
    if (closed.SAID in text) != (fate == "kept"):
        wrong.append(f"the closed captions of the rendition are {text!r}")
    return wrong


def differs(what, found, right, tolerance=0):
    """A sentence in a list when a figure is not right."""
    if found is not None and abs(found - right) <= tolerance + 1e-9:
        return []
    return [f"{what} is {found if found is None else round(found, 3)}, not {round(right, 3)}"]


def shape(film, facts, described):
    """Size, tracks and duration."""
    picture = next(s for s in facts["streams"] if s["codec_type"] == "video")
    sounds = [s for s in facts["streams"] if s["codec_type"] == "audio"]
    aspect = picture.get("sample_aspect_ratio", "1:1")
    wrong = []
    if (picture["width"], picture["height"], aspect) != (film.width, film.height, "1:1"):
        size = f"{picture['width']}x{picture['height']} ({aspect})"
        wrong.append(f"the size is {size}, not {film.width}x{film.height}")
    if film.tracks is not None:
        wrong += differs("the number of audio tracks", len(sounds), film.tracks)
    if film.seconds is not None:
        slack = 1 / film.rate + (AUDIO_FRAME if sounds else 0)
        wrong += differs("the duration", float(facts["format"]["duration"]), film.seconds, slack)
        wrong += differs("media.duration", described["duration"], film.seconds, slack)
    return wrong


def timing(film, path, source, found):
    """Number and times of the pictures, the first picture, and sound against picture."""
    original = media.pictures(source) if film.frames is None or film.sync else []
    expected = len(original) if film.frames is None else film.frames
    wrong = differs("the number of pictures", len(found), expected)
    if film.frames is not None:
        wrong += differs("the time of the first picture", found[0][0], film.start, min(1 / film.rate, 0.05))
    if film.black and found[0][1] > media.BLACK:
        wrong.append(f"the first picture is another one (brightness {found[0][1]:.0f})")
    if not film.sync or film.tracks == 0:
        return wrong
    moved = [(media.beep(source), media.flash(original)), (media.beep(path), media.flash(found))]
    if any(None in pair for pair in moved):
        return [*wrong, f"flash or beep are missing: {moved}"]
    (beep, flash), (made_beep, made_flash) = moved
    return wrong + differs("sound against picture", made_beep - made_flash, beep - flash, SYNC)


def previews(film, found, fetch):
    """The poster is not black where the film is not, and the storyboard ends with the film."""
    wrong = []
    if (level := media.brightness(fetch("scale/poster.jpg"))) is None:
        wrong.append("the poster does not decode")
    elif level < DARK * max(brightness for _, brightness in found) and len(found) > 2:
        wrong.append(f"the poster is black ({level:.0f})")
    if media.brightness(fetch("scale/storyboard.jpg")) is None:
        wrong.append("the storyboard does not decode")
    cues = times(fetch("scale/storyboard.vtt").read_text())
    if not cues:
        return [*wrong, "the storyboard has no cues"]
    last = found[-1][0]
    if not last - max(1 / film.rate, 0.05) <= cues[-1][1] <= last + 2 / film.rate + 0.1:
        wrong.append(f"the storyboard ends at {cues[-1][1]}, the picture at {last:.2f}")
    if len(cues) > 1 and cues[-1][1] - cues[-1][0] < 0.04:
        wrong.append(f"the storyboard's last cue is a sliver: {cues[-1]}")
    return wrong


def times(text):
    """Start and end of each cue, in seconds."""
    cues = []
    for line in text.splitlines():
        if " --> " in line:
            found = [(int(h) * 3600 + int(m) * 60 + int(s) + int(ms) / 1000) for h, m, s, ms in TIME.findall(line)]
            cues.append(tuple(found))
    return cues


def captions(spoken, stages, fetch):
    wrong = []
    language = stages["detect"]["result"]["language"]["code"]
    if language != spoken.language:
        wrong.append(f"the language is {language}, not {spoken.language}")
    cues = times(fetch("subtitle/subtitles.srt").read_text())
    words = len(fetch("subtitle/transcript.txt").read_text().split())
    if words < spoken.words:
        wrong.append(f"{words} words, not {spoken.words} or more")
    if not cues:
        return [*wrong, "no cues"]
    if cues[-1][1] > spoken.until:
        wrong.append(f"the last cue ends at {cues[-1][1]}, behind {spoken.until}")
    if cues[0][0] > spoken.begins:
        wrong.append(f"the first cue starts at {cues[0][0]}, after {spoken.begins}")
    return wrong
