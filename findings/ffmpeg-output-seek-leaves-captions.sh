#!/bin/sh
# ffmpeg's output seek cuts picture and sound, but leaves the times of captions that it encodes: they come late.
#
# Versions: ffmpeg 9.0.2 (the static build in imageio-ffmpeg 0.8.1) and 7.0.2 (imageio-ffmpeg 0.6.0). ffmpeg 5.1.9 of
# Debian 12 moves the captions as well.
# Input: a Matroska file of 10 s with a picture and a SubRip track, whose cue is at 6 to 9 s.
# Behaviour: `-ss 3` behind `-i` makes the output begin at 3 s of the input. The picture loses 3 s and begins at 0.
# The cue belongs at 3 to 6 s of the output then. With an encoded SubRip track it stays at 6 s, 3 s late, and ends at
# 9 s in a film of 7 s. `-c:s copy` moves it, and so does `-ss 3` before `-i`. The exit code is 0, and nothing warns.
# Output seen:
#     7.0.2, -ss after -i, encoded: picture 0.0 to 7.0, caption at 6.0
#     7.0.2, -ss after -i, copied: picture 0.0 to 7.0, caption at 3.0
#     7.0.2, -ss before -i, encoded: picture 0.0 to 7.0, caption at 3.0
#     9.0.2, -ss after -i, encoded: picture 0.0 to 7.0, caption at 6.0
#     9.0.2, -ss after -i, copied: picture 0.0 to 7.0, caption at 3.0
#     9.0.2, -ss before -i, encoded: picture 0.0 to 7.0, caption at 3.0
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/cues.srt" <<'SRT'
1
00:00:06,000 --> 00:00:09,000
words
SRT

# Installs this release of imageio-ffmpeg, and sets `ffmpeg` to its program of this version.
install() {
  python3 -m venv "$folder/venv-$2"
  "$folder/venv-$2/bin/pip" --quiet --disable-pip-version-check install "imageio-ffmpeg==$1"
  ffmpeg=$("$folder/venv-$2/bin/python" -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
  version=$2
  "$ffmpeg" -version | grep -q "^ffmpeg version n\{0,1\}$version"
}

# Prints the first (1) time of a track, or the end (0) of its last packet, in seconds.
time_of() {
  "$ffmpeg" -v error -copyts -i "$folder/cut.mkv" -map "0:$1" -c copy -f framehash - | awk -F, -v first="$2" '
    /^#tb/ { split($1, words, " "); split(words[3], base, "/") }
    !/^#/ { if (!start) start = $3 + 0.0001; end = $3 + $4 }
    END { printf "%.1f", (first ? start : end) * base[1] / base[2] }'
}

# Cuts the film with these options, and prints what is where.
cut_with() {
  name=$1
  shift
  "$ffmpeg" -v warning -y "$@" -c:v libx264 -preset ultrafast "$folder/cut.mkv"
  echo "$version, $name: picture $(time_of v 1) to $(time_of v 0), caption at $(time_of s 1)"
}

show() {
  install "$1" "$2"
  "$ffmpeg" -v error -y -f lavfi -i testsrc2=s=160x90:r=25:d=10 -i "$folder/cues.srt" \
    -c:v libx264 -preset ultrafast -g 25 -c:s srt "$folder/film.mkv"
  cut_with '-ss after -i, encoded' -i "$folder/film.mkv" -ss 3 -c:s srt
  cut_with '-ss after -i, copied' -i "$folder/film.mkv" -ss 3 -c:s copy
  cut_with '-ss before -i, encoded' -ss 3 -i "$folder/film.mkv" -c:s srt
}
found=$(show 0.6.0 7.0.2 && show 0.8.1 9.0.2)
echo "$found"
times='-ss after -i, encoded: picture 0.0 to 7.0, caption at 6.0
-ss after -i, copied: picture 0.0 to 7.0, caption at 3.0
-ss before -i, encoded: picture 0.0 to 7.0, caption at 3.0'
expected=$(echo "$times" | sed 's/^/7.0.2, /' && echo "$times" | sed 's/^/9.0.2, /')
[ "$found" = "$expected" ] || { echo "the behaviour has changed"; exit 1; }
