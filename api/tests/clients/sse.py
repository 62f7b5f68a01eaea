"""Reads a stream of server-sent events with httpx-sse and writes each event as a line of JSON.

sse.py URL [LAST_EVENT_ID]: ends with the stream. The first line has the status of the response.
"""

import contextlib
import json
import sys

import httpx
import httpx_sse

url, last = sys.argv[1], sys.argv[2:]
headers = {"Last-Event-ID": last[0]} if last else {}


def write(**line):
    print(json.dumps(line), flush=True)


# When the server is killed, the stream ends with a protocol error, and so does this program.
with (
    contextlib.suppress(httpx.RemoteProtocolError),
    httpx.Client(timeout=30) as client,
    httpx_sse.connect_sse(client, "GET", url, headers=headers) as source,
):
    write(status=source.response.status_code)
    if source.response.status_code == 200:
        for event in source.iter_sse():
            data = json.loads(event.data) if event.data else None
            write(event=event.event, id=event.id, retry=event.retry, data=data)
