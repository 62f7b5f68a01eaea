#!/bin/sh
# ffmpeg writes a speaker layout into the copy of a WAV file whose own header says that its channels have no speakers.
#
# Version: ffmpeg 9.0.2 (the static build in imageio-ffmpeg 0.8.1); 7.0.2 and 5.1.9 of Debian 12 do the same.
# Input: WAV files of 4 and 6 channels in the extensible form with the channel mask 0, which means that no channel
# belongs to a speaker. A recorder with a microphone for each channel has no other true mask. Only the fourth channel
# has a sound, with a peak of 10000.
# Behaviour: the command-line tool guesses a layout for the input even when nothing is decoded, and the muxer writes
# the guess as the mask of a `-c copy`: 4.0 and 5.1. The first run says "Guessed Channel Layout", as information. A
# later reader of the copy finds a stated layout, and has nothing to warn of. Mixed to stereo, the fourth of 4
# channels is taken for the rear speaker and weakened. The fourth of 6 channels is taken for low frequencies and left
# out. Copies to MOV and CAF have the guess too. `-guess_layout_max 0` before the input keeps the layout unknown.
# Output seen:
#     4 channels: mask 0x0, copy 0x107, copy without a guess none; peak in stereo 2265
#     6 channels: mask 0x0, copy 0x3f, copy without a guess none; peak in stereo 0
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install imageio-ffmpeg==0.8.1
ffmpeg=$("$folder/venv/bin/python" -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
"$ffmpeg" -version | grep -q '^ffmpeg version n9\.0\.2'

# Writes half a second with a sound on the fourth channel only.
cat >"$folder/write.py" <<'PYTHON'
import struct
import sys

channels, rate, frames = int(sys.argv[2]), 48000, 24000
integer_samples = bytes.fromhex("0100000000001000800000aa00389b71")
form = struct.pack("<HHIIHHHHI", 0xFFFE, channels, rate, rate * channels * 2, channels * 2, 16, 22, 16, 0)
form += integer_samples
silence, rest = [0] * 3, [0] * (channels - 4)
square = (10000 * (-1) ** (n // 50) for n in range(frames))
samples = b"".join(struct.pack(f"<{channels}h", *silence, level, *rest) for level in square)
body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(samples)) + samples
with open(sys.argv[1], "wb") as file:
    file.write(b"RIFF" + struct.pack("<I", len(body)) + body)
PYTHON
# Prints the channel mask of a WAV file, or "none" for the plain form, which has no mask.
cat >"$folder/mask.py" <<'PYTHON'
import struct
import sys

with open(sys.argv[1], "rb") as file:
    header = file.read(64)
start = header.index(b"fmt ") + 8
extensible = struct.unpack_from("<H", header, start)[0] == 0xFFFE
print(hex(struct.unpack_from("<I", header, start + 20)[0]) if extensible else "none")
PYTHON
# Prints the highest sample in 16 bits.
cat >"$folder/peak.py" <<'PYTHON'
import array
import sys

print(max(map(abs, array.array("h", sys.stdin.buffer.read()))))
PYTHON

show() {
  python3 "$folder/write.py" "$folder/$1.wav" "$1"
  "$ffmpeg" -v error -i "$folder/$1.wav" -c copy "$folder/$1-copy.wav"
  "$ffmpeg" -v error -guess_layout_max 0 -i "$folder/$1.wav" -c copy "$folder/$1-plain.wav"
  mask=$(python3 "$folder/mask.py" "$folder/$1.wav")
  copy=$(python3 "$folder/mask.py" "$folder/$1-copy.wav")
  plain=$(python3 "$folder/mask.py" "$folder/$1-plain.wav")
  peak=$("$ffmpeg" -v warning -i "$folder/$1-copy.wav" -ac 2 -f s16le - | python3 "$folder/peak.py")
  echo "$1 channels: mask $mask, copy $copy, copy without a guess $plain; peak in stereo $peak"
}
found=$(show 4 && show 6)
echo "$found"
expected='4 channels: mask 0x0, copy 0x107, copy without a guess none; peak in stereo 2265
6 channels: mask 0x0, copy 0x3f, copy without a guess none; peak in stereo 0'
[ "$found" = "$expected" ] || { echo "the behaviour has changed"; exit 1; }
