#!/bin/sh
# ffmpeg writes the text of WebVTT cues without escapes, so a player loses words after "<" and shows new characters.
#
# Versions: ffmpeg 9.0.2 (the static build in imageio-ffmpeg 0.8.1), media-captions 1.0.4 as the player's parser.
# ffmpeg 7.0.2 and 5.1.9 of Debian 12 do not escape either; they write "\{laughs\}", and turn "C:\new" into two lines.
# Input: a WebVTT file whose cues have the references `&lt;` and `&gt;`, a brace and a backslash. The parser reads
# all.
# Behaviour: `-c:s webvtt` of that file decodes the references and does not encode them again. Such text becomes a
# tag, and the parser drops it with the words inside it, as the standard asks. ffmpeg's inner form of subtitles is
# ASS. Its escapes stay in the output: a brace becomes "\{{}", and a backslash gets an invisible U+2060 behind it. The
# exit code is 0, and nothing warns. `-c:s copy` keeps all. `mov_text` and SubRip made from WebVTT have the same new
# characters.
# Output seen:
#     source: "if a < b and c > d" "press <Enter> now" "{laughs} in C:\\new"
#     -c:s copy: "if a < b and c > d" "press <Enter> now" "{laughs} in C:\\new"
#     -c:s webvtt: "if a  d" "press  now" "\\{{}laughs} in C:\\\u2060new"
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install imageio-ffmpeg==0.8.1
ffmpeg=$("$folder/venv/bin/python" -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
"$ffmpeg" -version | grep -q '^ffmpeg version n9\.0\.2'
npm install --silent --no-audit --no-fund --prefix "$folder" media-captions@1.0.4 >"$folder/log" || {
  cat "$folder/log"
  exit 1
}

cat >"$folder/source.vtt" <<'VTT'
WEBVTT

00:01.000 --> 00:02.000
if a &lt; b and c &gt; d

00:03.000 --> 00:04.000
press &lt;Enter&gt; now

00:05.000 --> 00:06.000
{laughs} in C:\new
VTT
"$ffmpeg" -v error -i "$folder/source.vtt" -c:s copy "$folder/copy.vtt"
"$ffmpeg" -v error -i "$folder/source.vtt" -c:s webvtt "$folder/webvtt.vtt"
# Prints the words of each cue that a player shows.
cat >"$folder/show.mjs" <<'JS'
import { readFileSync } from "node:fs";
import { parseText, tokenizeVTTCue } from "media-captions";

const words = (nodes) => nodes.map((node) => (node.type === "text" ? node.data : words(node.children ?? []))).join("");
const { cues } = await parseText(readFileSync(process.argv[3], "utf8"), { type: "vtt" });
const shown = cues.map((cue) => JSON.stringify(words(tokenizeVTTCue(cue))).replaceAll("\u2060", "\\u2060"));
console.log(`${process.argv[2]}: ${shown.join(" ")}`);
JS
found=$(
  node "$folder/show.mjs" source "$folder/source.vtt"
  node "$folder/show.mjs" '-c:s copy' "$folder/copy.vtt"
  node "$folder/show.mjs" '-c:s webvtt' "$folder/webvtt.vtt"
)
printf '%s\n' "$found"
expected=$(cat <<'EXPECTED'
source: "if a < b and c > d" "press <Enter> now" "{laughs} in C:\\new"
-c:s copy: "if a < b and c > d" "press <Enter> now" "{laughs} in C:\\new"
-c:s webvtt: "if a  d" "press  now" "\\{{}laughs} in C:\\\u2060new"
EXPECTED
)
[ "$found" = "$expected" ] || { echo "the behaviour has changed"; exit 1; }
