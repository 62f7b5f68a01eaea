#!/bin/bash
# Starts one member of MongoDB's replica set. The first member named in MONGODB_MEMBERS also makes the set and its
# users, by init.js; on a later start that sets the password of `vidp` alone.
#
#   MONGODB_MEMBERS        all members, "host:port" separated by commas, as clients and members reach them
#   MONGODB_SELF           which of them this one is
#   MONGODB_ROOT_PASSWORD  of the user `root`, for operators
#   MONGODB_PASSWORD       of the user `vidp`, for the API: reads and writes the database MONGODB_DATABASE
#   MONGODB_KEYFILE        what members know each other by: 6 to 1024 characters of base64
set -euo pipefail

for name in MONGODB_MEMBERS MONGODB_SELF MONGODB_ROOT_PASSWORD MONGODB_PASSWORD MONGODB_KEYFILE; do
  value=${!name:-}
  if [[ -z $value || $value == *replace-me* ]]; then
    echo "start.sh: $name is not set: make the secrets with scripts/make-secrets.py" >&2
    exit 1
  fi
done

export MONGODB_DATABASE=${MONGODB_DATABASE:-vidp}
# mongosh's folder: the root file system is read-only. It would keep a log of every call, probes too, and report home.
export HOME=/tmp
mkdir -p /tmp/.mongodb/mongosh
echo '{"disableLogging": true, "enableTelemetry": false}' > /tmp/.mongodb/mongosh/config
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# mongod refuses a key that anybody else could read, which is what a mounted Secret is.
keyfile=${MONGODB_KEYFILE_PATH:-/tmp/keyfile}
rm -f "$keyfile"
(umask 377 && printf '%s\n' "$MONGODB_KEYFILE" > "$keyfile")

if [[ $MONGODB_SELF == "${MONGODB_MEMBERS%%,*}" ]]; then
  # $$ is mongod by then: without it there is nothing to wait for.
  (until mongosh --nodb --quiet --norc "$scripts/init.js"; do sleep 3; kill -0 $$ || exit; done) &
fi

# The key file turns on authentication for everybody. No secret stays in the server's own environment.
exec env -u MONGODB_ROOT_PASSWORD -u MONGODB_PASSWORD -u MONGODB_KEYFILE \
  mongod --replSet rs0 --keyFile "$keyfile" --bind_ip_all --port "${MONGODB_SELF##*:}" \
  --dbpath "${MONGODB_DATA:-/data/db}" "$@"
