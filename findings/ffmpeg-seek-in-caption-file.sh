#!/bin/sh
# ffmpeg's input seek in a SubRip or WebVTT file makes later captions late, and puts a cue that has ended before them.
#
# Version: ffmpeg 9.0.2 (the static build in imageio-ffmpeg 0.8.1); 7.0.2 and 5.1.9 of Debian 12 do the same.
# Input: three cues at 1 to 5 s, 6 to 9 s and 20 to 21 s, cut with `-ss` before `-i`, as one cuts the video beside
# them.
# Behaviour: the seek lands on the last cue that begins before the wanted time, even when it has ended. Its new time
# is negative. The muxers of both formats accept no negative time, so ffmpeg moves all cues until the first one is at
# 0. After a cut at 3 s the second cue belongs at 3 to 6 s and comes 2 s late. The cut at 5.5 s has the same output:
# the second cue comes 4.5 s late, after one that had ended. The exit code is 0, and nothing warns. A cut at the start
# of a cue is right. With `-avoid_negative_ts disabled` the later cues are right, and the first has the invalid time
# "00:00:-2,000".
# Output seen:
#     srt, cut at 3: 0.0-4.0 5.0-8.0 19.0-20.0
#     srt, cut at 5.5: 0.0-4.0 5.0-8.0 19.0-20.0
#     srt, cut at 6: 0.0-3.0 14.0-15.0
#     webvtt, cut at 3: 0.0-4.0 5.0-8.0 19.0-20.0
#     webvtt, cut at 5.5: 0.0-4.0 5.0-8.0 19.0-20.0
#     webvtt, cut at 6: 0.0-3.0 14.0-15.0
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install imageio-ffmpeg==0.8.1
ffmpeg=$("$folder/venv/bin/python" -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
"$ffmpeg" -version | grep -q '^ffmpeg version n9\.0\.2'

cat >"$folder/cues.srt" <<'SRT'
1
00:00:01,000 --> 00:00:05,000
first

2
00:00:06,000 --> 00:00:09,000
second

3
00:00:20,000 --> 00:00:21,000
third
SRT
"$ffmpeg" -v error -i "$folder/cues.srt" -f webvtt "$folder/cues.webvtt"

# Cuts the file of this format and prints the times of its cues in seconds. All are below one minute.
cut_at() {
  "$ffmpeg" -v warning -ss "$2" -i "$folder/cues.$1" -f "$1" "$folder/cut" -y 2>"$folder/log"
  [ ! -s "$folder/log" ]
  echo "$1, cut at $2:$(sed -n 's/,/./g; s/^[0-9:]*:\([0-9.]*\)00 --> [0-9:]*:\([0-9.]*\)00$/ \1-\2/p' "$folder/cut" |
    sed 's/0\([0-9]\)/\1/g' | tr -d '\n')"
}
found=$(
  for format in srt webvtt; do
    cut_at $format 3
    cut_at $format 5.5
    cut_at $format 6
  done
)
echo "$found"
times='cut at 3: 0.0-4.0 5.0-8.0 19.0-20.0
cut at 5.5: 0.0-4.0 5.0-8.0 19.0-20.0
cut at 6: 0.0-3.0 14.0-15.0'
expected=$(echo "$times" | sed 's/^/srt, /' && echo "$times" | sed 's/^/webvtt, /')
[ "$found" = "$expected" ] || { echo "the behaviour has changed"; exit 1; }
