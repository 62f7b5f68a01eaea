#!/bin/sh
# ffmpeg's `alimiter` writes full-scale samples into the quiet channels of surround sound while it limits another channel.
#
# Version: ffmpeg 4.2.2 (the static build in imageio-ffmpeg 0.5.1); 5.1.9 of Debian 12 does the same. 7.0.2 (imageio-ffmpeg 0.6.0)
# does not.
# Input: two seconds of generated sound: a loud tone in one channel, and a tone of -100 dB in each of the others, as in films whose
# dialogue is in the centre.
# Behaviour: with two or three channels each channel keeps its level below the limit. With four or more, every channel gets samples
# at the limit: noise where there was silence. The limiter reports nothing, and meters of the sample peak see the right limit.
# Output seen, the peak of each channel in dB:
#     4.2.2, stereo: -109.5 -6.0
#     4.2.2, 3.0: -109.5 -6.0 -109.5
#     4.2.2, 4.0: -6.0 -6.0 -6.0 -6.0
#     4.2.2, 5.1: -6.0 -6.0 -6.0 -6.0 -6.0 -6.0
#     7.0.2, 5.1: -109.5 -109.5 -109.5 -6.0 -109.5 -109.5
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Installs a release of the package, checks its ffmpeg, and prints the path.
install() {
  python3 -m venv "$folder/$1"
  "$folder/$1/bin/pip" --quiet --disable-pip-version-check install setuptools==80.9.0 "imageio-ffmpeg==$1"
  program=$("$folder/$1/bin/python" -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
  "$program" -version | grep -q "^ffmpeg version $2-static"
  echo "$program"
}

# Prints the peaks of the channels of a layout behind the limiter of this ffmpeg. One channel is loud.
show() {
  program=$1 layout=$2 count=$3 signals=''
  for channel in $(seq "$count"); do
    [ "$channel" -eq $((count / 2 + 1)) ] && one='1.5*sin(2*PI*440*t)' || one='0.00001*sin(2*PI*100*t)'
    signals="$signals${signals:+|}$one"
  done
  "$program" -hide_banner -nostdin -f lavfi -i "aevalsrc=$signals:c=$layout:s=48000:d=2" -af \
    'aformat=sample_fmts=fltp,alimiter=limit=0.5:level=0,astats=measure_overall=none:measure_perchannel=Peak_level' -f null - \
    2>&1 | awk '/Peak level dB/ { printf " %.1f", $NF }'
}

old=$(install 0.5.1 4.2.2)
new=$(install 0.6.0 7.0.2)
found=$(
  echo "4.2.2, stereo:$(show "$old" stereo 2)"
  echo "4.2.2, 3.0:$(show "$old" 3.0 3)"
  echo "4.2.2, 4.0:$(show "$old" 4.0 4)"
  echo "4.2.2, 5.1:$(show "$old" 5.1 6)"
  echo "7.0.2, 5.1:$(show "$new" 5.1 6)"
)
echo "$found"
expected='4.2.2, stereo: -109.5 -6.0
4.2.2, 3.0: -109.5 -6.0 -109.5
4.2.2, 4.0: -6.0 -6.0 -6.0 -6.0
4.2.2, 5.1: -6.0 -6.0 -6.0 -6.0 -6.0 -6.0
7.0.2, 5.1: -109.5 -109.5 -109.5 -6.0 -109.5 -109.5'
[ "$found" = "$expected" ] || { echo "the behaviour has changed"; exit 1; }
