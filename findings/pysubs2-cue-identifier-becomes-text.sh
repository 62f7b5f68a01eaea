#!/bin/sh
# pysubs2 shows the identifier of a WebVTT cue as the last words of the cue before it.
#
# Version: pysubs2 1.8.1; webvtt-py 0.6.0 reads the same file as a comparison.
# Input: a WebVTT file of three cues, which have the identifiers "intro", "2" and "chapter-2". An identifier may be
# any line without an arrow.
# Behaviour: pysubs2 reads WebVTT as it reads SubRip: it removes a line above the times only if it is a number. Any
# other identifier stays as text of the cue above, after two line breaks. A file that pysubs2 saves has it as well, so
# that viewers see it. The first identifier vanishes, since no cue is above it. Braces of the text vanish in the saved
# file, because pysubs2 keeps the text as ASS, where they hold commands. There is no warning.
# Output seen:
#     webvtt-py: ['Welcome.', '{laughs} Thank you.', 'The end.']
#     pysubs2: ['Welcome.', '{laughs} Thank you.\\N\\Nchapter-2', 'The end.']
#     pysubs2, saved as SubRip: ['Welcome.', 'Thank you.\nchapter-2', 'The end.']
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install pysubs2==1.8.1 webvtt-py==0.6.0
cat >"$folder/cues.vtt" <<'VTT'
WEBVTT

intro
00:01.000 --> 00:02.000
Welcome.

2
00:03.000 --> 00:04.000
{laughs} Thank you.

chapter-2
00:05.000 --> 00:06.000
The end.
VTT
cat >"$folder/show.py" <<'PYTHON'
import sys

import pysubs2
import webvtt

print("webvtt-py:", [cue.text for cue in webvtt.read(sys.argv[1])])
cues = pysubs2.load(sys.argv[1])
print("pysubs2:", [cue.text for cue in cues])
saved = cues.to_string("srt").strip().split("\n\n")
print("pysubs2, saved as SubRip:", ["\n".join(cue.splitlines()[2:]).strip() for cue in saved])
PYTHON
found=$("$folder/venv/bin/python" "$folder/show.py" "$folder/cues.vtt")
printf '%s\n' "$found"
expected=$(cat <<'EXPECTED'
webvtt-py: ['Welcome.', '{laughs} Thank you.', 'The end.']
pysubs2: ['Welcome.', '{laughs} Thank you.\\N\\Nchapter-2', 'The end.']
pysubs2, saved as SubRip: ['Welcome.', 'Thank you.\nchapter-2', 'The end.']
EXPECTED
)
[ "$found" = "$expected" ] || { echo "the behaviour has changed"; exit 1; }
