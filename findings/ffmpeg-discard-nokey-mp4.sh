#!/bin/sh
# ffmpeg's `-discard nokey` gives the key frames of an MP4 the presentation times of other frames.
#
# Version: ffmpeg 9.0.2 (the static build in imageio-ffmpeg 0.8.1); 7.0.2 and 5.1.9 of Debian 12 do the same.
# Input: a generated picture of 6 s at 25 frames a second, encoded by libx264 with B frames and a key frame each
# second.
# Behaviour: `-discard nokey` makes the MP4 demuxer skip all other frames, a fast way to thumbnails. The demuxer does
# not skip their composition offsets: the key frame of number k gets the offset of sample k. Its time is some frames
# too early or too late, and nothing warns. A copy writes the wrong times into the new file. The decoder's
# `-skip_frame nokey` gives the right times. Without B frames both do, because all offsets are equal.
# Output seen:
#     B frames, -skip_frame nokey: 0.00 1.00 2.00 3.00 4.00 5.00
#     B frames, -discard nokey: 0.00 1.12 2.00 2.92 3.96 5.12
#     B frames, -discard nokey, copied: 0.00 1.12 2.00 2.92 3.96 5.12
#     no B frames, -discard nokey: 0.00 1.00 2.00 3.00 4.00 5.00
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install imageio-ffmpeg==0.8.1
ffmpeg=$("$folder/venv/bin/python" -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
"$ffmpeg" -version | grep -q '^ffmpeg version n9\.0\.2'

# Encodes to this file with this many B frames between two others.
encode() {
  "$ffmpeg" -v error -f lavfi -i testsrc2=s=320x180:r=25:d=6 -c:v libx264 -preset ultrafast -threads 1 \
    -g 25 -sc_threshold 0 -bf "$2" -b_strategy 0 -x264-params b-pyramid=2 "$folder/$1"
}

# Prints the presentation times in seconds of the packets that these options give.
show() {
  name=$1
  shift
  echo "$name:$("$ffmpeg" -v error "$@" -f framehash - | awk -F, '
    /^#tb/ { split($1, words, " "); split(words[3], base, "/") }
    !/^#/ { printf " %.2f", $3 * base[1] / base[2] }')"
}

encode b.mp4 3
encode plain.mp4 0
found=$(
  show 'B frames, -skip_frame nokey' -skip_frame nokey -i "$folder/b.mp4" -fps_mode passthrough
  show 'B frames, -discard nokey' -discard nokey -i "$folder/b.mp4" -fps_mode passthrough
  show 'B frames, -discard nokey, copied' -discard nokey -i "$folder/b.mp4" -c copy
  show 'no B frames, -discard nokey' -discard nokey -i "$folder/plain.mp4" -fps_mode passthrough
)
echo "$found"
expected='B frames, -skip_frame nokey: 0.00 1.00 2.00 3.00 4.00 5.00
B frames, -discard nokey: 0.00 1.12 2.00 2.92 3.96 5.12
B frames, -discard nokey, copied: 0.00 1.12 2.00 2.92 3.96 5.12
no B frames, -discard nokey: 0.00 1.00 2.00 3.00 4.00 5.00'
[ "$found" = "$expected" ] || { echo "the behaviour has changed"; exit 1; }
