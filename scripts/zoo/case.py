"""A file of the zoo, and the answer that is right for it."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable

# Options of the jobs: the stages that a case is about.
PICTURE = {"stages": ["scale"], "scale": {"renditions": ["144p"]}}
FORMATS = {"formats": ["srt", "txt"]}
SPEECH = {"stages": ["detect", "subtitle"], "subtitle": FORMATS}
ALL = {"scale": {"renditions": ["144p"]}, "subtitle": FORMATS}


@dataclasses.dataclass(frozen=True)
class Film:
    """A right rendition. Sizes in pixels, times in seconds."""

    width: int
    height: int
    # Number of pictures; None: as many as a decoder finds in the source.
    frames: int | None
    # From the first time to the end of the last picture or sample; None: as in the source.
    seconds: float | None
    # Pictures a second, for the tolerance of one picture.
    rate: float = 25
    # Number of audio tracks.
    tracks: int = 1
    # Time of the first picture.
    start: float = 0
    # The first picture is the black one with which the films of the zoo begin.
    black: bool = True
    # The flash and the beep of the film are as far apart as in the source.
    sync: bool = True
    # The highest comb figure of a picture: 16 and more in a film that was not deinterlaced.
    comb: float | None = None
    # Black bars: share of the height or width in the last picture.
    bars: float = 0
    # The fate of closed captions, `kept` or `dropped`; None: the source has none.
    captions: str | None = None


@dataclasses.dataclass(frozen=True)
class Spoken:
    """Right captions."""

    language: str
    # Words that the transcript has at least, out of those that are said.
    words: int
    # End of the last cue at most, in seconds.
    until: float
    # Start of the first cue at most, in seconds.
    begins: float = 3


@dataclasses.dataclass(frozen=True)
class Case:
    """A file and its right answer. An answer that is a text is a failure code or a skip code."""

    name: str
    what: str
    make: Callable[[pathlib.Path], None]
    options: dict
    scale: Film | str | None = None
    speech: Spoken | str | None = None
    # Belongs to the part that `make test` runs.
    quick: bool = False


def film(name, what, make, answer, **rest):
    """A case about the picture."""
    return Case(name, what, make, PICTURE, scale=answer, **rest)


def speech(name, what, make, answer, **rest):
    """A case about what is said."""
    return Case(name, what, make, SPEECH, speech=answer, **rest)


def both(name, what, make, scale, speech, **rest):
    """A case of all three stages."""
    return Case(name, what, make, ALL, scale=scale, speech=speech, **rest)
