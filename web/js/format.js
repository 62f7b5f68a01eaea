// Numbers and times as people write them, in the page's language.

import { has, locale, t } from './i18n.js';

const formats = new Map();

/** A formatter of `Intl`, made once. */
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

/** The least probability that is told. */
const LEAST = 0.001;

/** A probability, where 99.9 is not 100 and little is not nothing. */
export function probability(share) {
  if (share > 0 && share < LEAST) return `< ${percent(LEAST, 1)}`;
  return percent(share, share > 0.99 || share < 0.1 ? 1 : 0);
}

/** A position: `1:05`, `1:02:03`. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value) => String(value).padStart(2, '0');
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** A length of time with the symbols of the SI, the same in every language: `4.9 s`, `3 min 12 s`, `2 h 5 min`. */
export function duration(seconds) {
  const unit = (value, symbol) => `${value}\u00a0${symbol}`;
  if (seconds < 60) return unit(number(seconds, seconds < 10 ? 1 : 0), 's');
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${unit(hours, 'h')} ${unit(minutes, 'min')}` : `${unit(minutes, 'min')} ${unit(whole % 60, 's')}`;
}

/** `3.5×` of real time. */
export const speed = (value) => `${number(value, value < 10 ? 1 : 0)}×`;

/** `850 kbit/s`. */
export const bitrate = (value) => `${number(value / 1000)}\u00a0kbit/s`;

export const frames = (value) => number(value, 2);

const STEPS = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
];

/** `5 minutes ago`; the date when it is more than a week. */
export function ago(time, now = Date.now()) {
  const seconds = (Date.parse(time) - now) / 1000;
  if (seconds < -7 * 86_400) return intl('DateTimeFormat', { dateStyle: 'medium' }).format(new Date(time));
  const [name, size] = STEPS.find(([, size]) => Math.abs(seconds) >= size) ?? ['second', 1];
  return intl('RelativeTimeFormat', { numeric: 'auto', style: 'short' }).format(Math.trunc(seconds / size), name);
}

/** Day and time. */
export const moment = (time) =>
  intl('DateTimeFormat', { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(time));

/** A language by its code: `French`, `français`. */
export function languageName(code, otherwise = code) {
  if (has(`spoken.${code}`)) return t(`spoken.${code}`);
  try {
    return intl('DisplayNames', { type: 'language', fallback: 'none' }).of(code) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** Words in a row: `720p, 480p and 360p`. */
export const list = (words) => intl('ListFormat', { type: 'unit' }).format(words);
