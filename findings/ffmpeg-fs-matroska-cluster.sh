#!/bin/sh
# ffmpeg's size limit of an output, `-fs`, does not count the open cluster of a Matroska or WebM file.
#
# Version: ffmpeg 7.0.2 (the static build in imageio-ffmpeg 0.6.0); ffmpeg 5.1.9 of Debian 12 does the same.
# Input: a generated picture of 20 s, encoded with one thread by libx264, with `-fs 200000`.
# Behaviour: the manual says that the file becomes slightly larger than the limit. MPEG-TS and MP4 do. The Matroska muxer
# collects a cluster (5 s or 5 MB by default) in memory, the limit counts only written bytes, and the file has several
# times the limit; the exit code is 0. `-cluster_size_limit` below the limit makes it hold.
# Output seen:
#     ts: 203604 bytes, 1.0 times the limit
#     mp4: 263232 bytes, 1.3 times the limit
#     mkv: 1141507 bytes, 5.7 times the limit
#     mkv, clusters of 50 kB: 219459 bytes, 1.0 times the limit
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install imageio-ffmpeg==0.6.0
ffmpeg=$("$folder/venv/bin/python" -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
"$ffmpeg" -version | grep -q '^ffmpeg version 7\.0\.2'
limit=200000

# Encodes to a file of this type, prints its size, and checks the size in hundredths of the limit.
encode() {
  name=$1 type=$2 least=$3 most=$4
  shift 4
  "$ffmpeg" -v error -y -f lavfi -i testsrc2=s=640x360:r=25:d=20 -c:v libx264 -preset ultrafast -threads 1 \
    "$@" -fs $limit "$folder/out.$type"
  size=$(wc -c <"$folder/out.$type")
  echo "$name: $size bytes, $((size * 10 / limit / 10)).$((size * 10 / limit % 10)) times the limit"
  [ $((size * 100)) -ge $((limit * least)) ] && [ $((size * 100)) -le $((limit * most)) ]
}

encode ts ts 100 120
encode mp4 mp4 100 150
encode mkv mkv 400 800
encode "mkv, clusters of 50 kB" mkv 100 150 -cluster_size_limit 50000
