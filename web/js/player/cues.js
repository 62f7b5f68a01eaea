// Parser of cues in WebVTT and SubRip files.

const TIMES = /(\d+:)?(\d+):(\d+)[.,](\d+) +--> +(\d+:)?(\d+):(\d+)[.,](\d+)/;

const seconds = ([hours, minutes, rest, millis]) =>
  parseInt(hours ?? 0, 10) * 3600 + minutes * 60 + Number(rest) + millis / 1000;

const unescaped = (text) => text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');

/** The cues of a file, each `{start, end, text}`. Times are in seconds. */
export function cues(file) {
  return file.split(/\r?\n\r?\n/).flatMap((block) => {
    const lines = block.trim().split(/\r?\n/);
    const at = lines.findIndex((line) => TIMES.test(line));
    if (at < 0) return [];
    const [, ...parts] = TIMES.exec(lines[at]);
    const text = unescaped(lines.slice(at + 1).join(' '));
    return [{ start: seconds(parts.slice(0, 4)), end: seconds(parts.slice(4)), text }];
  });
}

/** Converts SubRip to WebVTT, because browsers read only WebVTT. */
export const toVtt = (srt) => `WEBVTT\n\n${srt.replace(/(\d),(\d{3})/g, '$1.$2')}`;

/** The tiles of a storyboard: `storyboard.jpg#xywh=160,0,160,90`. Each `{start, end, x, y, width, height}`. */
export const tiles = (file) =>
  cues(file).map(({ start, end, text }) => {
    const [x, y, width, height] = text.split('#xywh=')[1].split(',').map(Number);
    return { start, end, x, y, width, height };
  });

/** The index of the last cue that has started at `time`; -1 before the first cue. */
export const indexAt = (all, time) => all.findLastIndex(({ start }) => start <= time + 0.05);
