"""A scripted viewer: asks for playlists and segments as hls.js does, and decodes nothing."""

import asyncio
import collections
import contextlib
import dataclasses
import math
import re
import time
import urllib.parse

from bench.browser import Browser
from bench.tools import BenchError

SPEED = 2  # A multiple of the speed of playback.
AHEAD = 30  # Seconds of the film that hls.js loads before they are played.
RELOAD = 4  # Seconds between two requests for a list that grows.
STAY = 20  # Seconds of the film between two changes of the rendition.
RENDITION = re.compile(r"^#EXT-X-STREAM-INF:.*\n(.+)$", re.MULTILINE)
SOUND = re.compile(r'^#EXT-X-MEDIA:TYPE=AUDIO.*URI="(.+?)"', re.MULTILINE)
MAP = re.compile(r'^#EXT-X-MAP:URI="(.+?)",BYTERANGE="(\d+)@(\d+)"$', re.MULTILINE)
SEGMENT = re.compile(r"^#EXTINF:([\d.]+),\n#EXT-X-BYTERANGE:(\d+)@(\d+)\n(.+)$", re.MULTILINE)


@dataclasses.dataclass
class Figures:
    """The figures that all viewers of a round note."""

    playlists: list = dataclasses.field(default_factory=list)  # Seconds of each.
    answers: collections.Counter = dataclasses.field(default_factory=collections.Counter)  # By server.
    segments: int = 0
    late: int = 0  # Segments that came after the moment at which they are played.


@dataclasses.dataclass
class Segment:
    start: float
    end: float
    url: str
    part: str


class Viewer:
    """One viewer of a film. An `early` one began while it was made, and reloads the lists that grow."""

    def __init__(self, master, early, figures, random):
        self.master, self.early, self.figures, self.random = master, early, figures, random
        self.browser = Browser(figures.answers)
        self.due = {}  # When each list is asked for again.
        self.began = None

    async def watch(self):
        """Plays the film to its end."""
        with contextlib.closing(self.browser):
            text = await self.playlist(self.master)
            await asyncio.gather(self.track(RENDITION.findall(text)), self.track(SOUND.findall(text)))

    async def track(self, names):
        """Loads `AHEAD` seconds of a track at once, then a segment whenever one has been played."""
        turn, change = self.random.randrange(len(names)), self.random.uniform(0, STAY)
        url, segments = await self.open(names[turn])
        for number in range(len(segments)):
            await self.play(segments[number].start - AHEAD, url)
            if len(names) > 1 and segments[number].start > change:
                turn, change = (turn + 1) % len(names), change + STAY
                url, segments = await self.open(names[turn])  # All renditions have the same segments.
            await self.browser.get(segments[number].url, segments[number].part)
            self.began = self.began or time.monotonic()
            self.figures.segments += 1
            self.figures.late += number > 0 and self.position() > segments[number].start
        await self.play(segments[-1].end, url)

    async def open(self, name):
        """Loads the list of a track, and the head of its file; returns the list's URL and its segments."""
        url = urllib.parse.urljoin(self.master, f"growing-{name}" if self.early else name)
        text = await self.playlist(url)
        name, size, offset = MAP.search(text).groups()
        await self.browser.get(urllib.parse.urljoin(url, name), part(offset, size))
        segments, at = [], 0
        for seconds, size, offset, name in SEGMENT.findall(text):
            end = at + float(seconds)
            segments.append(Segment(at, end, urllib.parse.urljoin(url, name), part(offset, size)))
            at = end
        return url, segments

    async def playlist(self, url):
        answer = await self.browser.get(url)
        text = answer.body.decode()
        if not text.startswith("#EXTM3U"):
            raise BenchError(f"{url} is no playlist: {text[:300]}")
        self.figures.playlists.append(answer.seconds)
        self.due[url] = time.monotonic() + (RELOAD if self.early else math.inf)
        return text

    async def play(self, position, url):
        """Waits until the player is there, and reloads the list meanwhile when it is due."""
        while (wait := (position - self.position()) / SPEED) > 0:
            reload = self.due[url] - time.monotonic()
            await asyncio.sleep(min(wait, reload))
            if reload <= wait:
                await self.playlist(url)

    def position(self):
        return (time.monotonic() - self.began) * SPEED if self.began else 0


def part(offset, size):
    """A range of bytes, as the field `Range` has it."""
    return f"{offset}-{int(offset) + int(size) - 1}"
