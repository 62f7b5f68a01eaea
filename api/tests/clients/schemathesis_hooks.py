"""Bodies that schemathesis cannot write by itself: a video is bytes to it."""

import schemathesis


@schemathesis.serializer("video/*", "audio/*")
def media(ctx, value):
    """The value as bytes."""
    return value if isinstance(value, bytes) else str(value).encode()
