"""Bodies that schemathesis cannot write by itself: a video is bytes to it, and lines of JSON are an item each."""

import json

import schemathesis


@schemathesis.serializer("video/*", "audio/*", "application/offset+octet-stream")
def media(ctx, value):
    """The value as bytes."""
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.serializer("application/x-ndjson")
def lines(ctx, value):
    """The value as one line."""
    return json.dumps(value).encode()
