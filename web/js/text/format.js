// Numbers and times in the format of the page's language.

import { has, locale, t } from './i18n.js';

const formats = new Map();

/** A formatter of `Intl`. Each is created once. */
function intl(kind, options) {
  const name = `${locale()} ${kind} ${JSON.stringify(options)}`;
  if (!formats.has(name)) formats.set(name, new Intl[kind](locale(), options));
  return formats.get(name);
}

const number = (value, digits = 0) => intl('NumberFormat', { maximumFractionDigits: digits }).format(value);

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];

/** `1.9 MB`, `1,9 Mo`. */
export function bytes(value) {
  const power = Math.min(Math.floor(Math.log10(Math.max(value, 1)) / 3), UNITS.length - 1);
  const scaled = value / 1000 ** power;
  const options = { style: 'unit', unit: UNITS[power], unitDisplay: power ? 'short' : 'long' };
  return intl('NumberFormat', { ...options, maximumFractionDigits: power && scaled < 100 ? 1 : 0 }).format(scaled);
}

/** `48%`, `48 %`. */
export const percent = (share, digits = 0) =>
  intl('NumberFormat', { style: 'percent', maximumFractionDigits: digits }).format(share);

/** The smallest probability that is shown as a number. */
const SMALLEST_SHOWN = 0.001;

/** A probability in percent. It keeps a decimal near 0 and 100, so that 99.9 does not read 100 and 0.2 not 0. */
export function probability(share) {
  if (share > 0 && share < SMALLEST_SHOWN) return `< ${percent(SMALLEST_SHOWN, 1)}`;
  return percent(share, share > 0.99 || share < 0.1 ? 1 : 0);
}

/** A position: `1:05`, `1:02:03`. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value) => String(value).padStart(2, '0');
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** A duration with SI symbols, which are the same in every language: `4.9 s`, `3 min 12 s`, `2 h 5 min`. */
export function duration(seconds) {
  const unit = (value, symbol) => `${value}\u00a0${symbol}`;
  if (seconds < 60) return unit(number(seconds, seconds < 10 ? 1 : 0), 's');
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${unit(hours, 'h')} ${unit(minutes, 'min')}` : `${unit(minutes, 'min')} ${unit(whole % 60, 's')}`;
}

/** A speed relative to real time: `3.5×`. */
export const speed = (value) => `${number(value, value < 10 ? 1 : 0)}×`;

/** `850 kbit/s`. */
export const bitrate = (value) => `${number(value / 1000)}\u00a0kbit/s`;

/** Frames per second, with two decimals at most. */
export const frames = (value) => number(value, 2);

/** Units of relative times, with their seconds. */
const STEPS = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
];

/** A relative time such as `5 minutes ago`; the date after more than a week. */
export function ago(time, now = Date.now()) {
  const seconds = (Date.parse(time) - now) / 1000;
  if (seconds < -7 * 86_400) return intl('DateTimeFormat', { dateStyle: 'medium' }).format(new Date(time));
  const [name, size] = STEPS.find(([, size]) => Math.abs(seconds) >= size) ?? ['second', 1];
  return intl('RelativeTimeFormat', { numeric: 'auto', style: 'short' }).format(Math.trunc(seconds / size), name);
}

/** A date with the time of day. */
export const moment = (time) =>
  intl('DateTimeFormat', { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(time));

/** The name of a language code, in the page's language: `French`, `français`. */
export function languageName(code, otherwise = code) {
  if (has(`spoken.${code}`)) return t(`spoken.${code}`);
  try {
    return intl('DisplayNames', { type: 'language', fallback: 'none' }).of(code) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** A list of words: `720p, 480p, 360p`. */
export const list = (words) => intl('ListFormat', { type: 'unit' }).format(words);
