"""The part of a browser that a scripted player needs: connections that stay open, and a cache of redirects."""

import asyncio
import collections
import dataclasses
import time
import urllib.parse

from bench.tools import BenchError

BLOCK = 1 << 18
TIMEOUT = 10  # Seconds for one answer.
IDLE = 8  # Seconds after which a connection is not used again: the API closes it after 10.


@dataclasses.dataclass
class Answer:
    """One answer. `seconds` are those from the request to the last byte, on a connection that was open."""

    status: int
    headers: dict
    body: bytes
    seconds: float


class Browser:
    """The connections of one viewer, as HTTP/1.1 of a browser uses them, and the redirects that it may use again."""

    def __init__(self, counts):
        self.counts = counts  # Answers by server, of all browsers of a round.
        self.idle = collections.defaultdict(list)
        self.redirects = {}

    async def get(self, url, part=None):
        """The answer for a URL, or for a range of its bytes, through a redirect. The body of a range is dropped."""
        target, until = self.redirects.get(url, (url, 0))
        if time.monotonic() < until:
            return await self.ask(target, part)
        answer = await self.ask(url, part)
        if answer.status == 307:
            life = int(answer.headers["cache-control"].split("max-age=")[1])
            self.redirects[url] = (answer.headers["location"], time.monotonic() + life)
            return await self.ask(answer.headers["location"], part)
        return answer

    async def ask(self, url, part):
        """One request. Everything but the expected answer ends the measurement."""
        place = urllib.parse.urlsplit(url)
        connection = await self.connection(place)
        answer = await connection.get(place, part)
        if answer.status not in (206 if part else 200, 307):
            raise BenchError(f"GET {place.path}: {answer.status} {answer.body[:300].decode(errors='replace')}")
        self.idle[place.netloc].append(connection)
        self.counts[place.netloc] += 1
        return answer

    async def connection(self, place):
        """The connection that was used last, or a new one."""
        idle = self.idle[place.netloc]
        while idle:
            connection = idle.pop()
            if time.monotonic() - connection.used < IDLE:
                return connection
            connection.close()
        return Connection(*await asyncio.open_connection(place.hostname, place.port, limit=BLOCK))

    def close(self):
        for idle in self.idle.values():
            for connection in idle:
                connection.close()


class Connection:
    """A connection with at most one request at a time."""

    def __init__(self, reader, writer):
        self.reader, self.writer, self.used = reader, writer, time.monotonic()

    async def get(self, place, part):
        path = f"{place.path}?{place.query}" if place.query else place.path
        lines = [f"GET {path} HTTP/1.1", f"Host: {place.netloc}", "Origin: http://player.example"]
        if part:
            lines.append(f"Range: bytes={part}")
        guard = asyncio.get_running_loop().call_later(TIMEOUT, self.writer.transport.abort)
        started = time.monotonic()
        try:
            self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
            status, headers = head(await self.reader.readuntil(b"\r\n\r\n"))
            body = await self.body(int(headers["content-length"]), discard=status == 206)
        except (OSError, EOFError) as error:
            after = f"{type(error).__name__} after {time.monotonic() - started:.1f} s"
            raise BenchError(f"GET {place.path}: {after}") from error
        finally:
            guard.cancel()
        self.used = time.monotonic()
        return Answer(status, headers, body, self.used - started)

    async def body(self, size, discard):
        if not discard:
            return await self.reader.readexactly(size)
        while size:
            block = await self.reader.read(min(size, BLOCK))
            if not block:
                raise EOFError("the body ended too early")
            size -= len(block)
        return b""

    def close(self):
        self.writer.transport.abort()


def head(raw):
    """The status and the fields of an answer's head."""
    first, *lines = raw.decode("latin-1").split("\r\n")[:-2]
    fields = (line.split(": ", 1) for line in lines)
    return int(first.split(" ", 2)[1]), {name.lower(): value for name, value in fields}
