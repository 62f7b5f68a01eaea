#!/bin/bash
# Starts one member of the MongoDB replica set. The first member in MONGODB_MEMBERS also creates the set and its users, by
# init.js; on later starts, init.js only sets the password of `vidp`.
#
#   MONGODB_MEMBERS        all members, "host:port" separated by commas, as clients and members reach them
#   MONGODB_SELF           the entry of this member
#   MONGODB_ROOT_PASSWORD  of the user `root`, for operators
#   MONGODB_PASSWORD       of the user `vidp`, for the API: reads and writes the database MONGODB_DATABASE
#   MONGODB_KEYFILE        the secret that the members share: 6 to 1024 characters of base64
set -euo pipefail

for name in MONGODB_MEMBERS MONGODB_SELF MONGODB_ROOT_PASSWORD MONGODB_PASSWORD MONGODB_KEYFILE; do
  value=${!name:-}
  if [[ -z $value || $value == *replace-me* ]]; then
    echo "start.sh: $name is not set: generate the secrets with scripts/make-secrets.py" >&2
    exit 1
  fi
done

export MONGODB_DATABASE=${MONGODB_DATABASE:-vidp}
# A writable folder for mongosh, because the root file system is read-only. Without this configuration, mongosh logs every
# call, including probes, and sends telemetry.
export HOME=/tmp
mkdir -p /tmp/.mongodb/mongosh
echo '{"disableLogging": true, "enableTelemetry": false}' > /tmp/.mongodb/mongosh/config
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# mongod refuses a key file that other users can read, as they can a mounted Secret.
keyfile=${MONGODB_KEYFILE_PATH:-/tmp/keyfile}
rm -f "$keyfile"
(umask 377 && printf '%s\n' "$MONGODB_KEYFILE" > "$keyfile")

if [[ $MONGODB_SELF == "${MONGODB_MEMBERS%%,*}" ]]; then
  # $$ is mongod by then. The loop ends when mongod does.
  (until mongosh --nodb --quiet --norc "$scripts/init.js"; do sleep 3; kill -0 $$ || exit; done) &
fi

# The key file turns on authentication for all clients. The environment of the server contains no secret.
exec env -u MONGODB_ROOT_PASSWORD -u MONGODB_PASSWORD -u MONGODB_KEYFILE \
  mongod --replSet rs0 --keyFile "$keyfile" --bind_ip_all --port "${MONGODB_SELF##*:}" \
  --dbpath "${MONGODB_DATA:-/data/db}" "$@"
