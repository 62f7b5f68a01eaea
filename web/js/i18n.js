// The page's language: the browser's, unless somebody chose.

import { Store } from './dom.js';
import en from './text/en.js';
import fr from './text/fr.js';

const ITEM = 'vidp-language';
const TEXTS = { en, fr: spaced(fr) };
export const LANGUAGES = { en: 'English', fr: 'Français' };

/** Codes in the order in which they are wanted. */
const wanted = [localStorage.getItem(ITEM), ...navigator.languages.map((tag) => tag.slice(0, 2)), 'en'];

let current = wanted.find((code) => code in TEXTS);
document.documentElement.lang = current;

/** Changes when somebody chooses another language. */
export const languageChoice = new Store();

export const language = () => current;

/** The language with the country of who looks, which numbers and dates depend on: `en-GB`. */
export const locale = () => navigator.languages.find((tag) => tag.slice(0, 2) === current) ?? current;

export function choose(code) {
  current = code;
  localStorage.setItem(ITEM, code);
  document.documentElement.lang = code;
  languageChoice.changed();
}

/** The text with this name; `values` go to those that are functions. */
export function t(name, ...values) {
  const text = TEXTS[current][name] ?? en[name] ?? name;
  return typeof text === 'function' ? text(...values) : text;
}

/** The text of one of the API's values, such as `stage.scale`; the value itself when the page has no text for it. */
export const label = (kind, value) => (has(`${kind}.${value}`) ? t(`${kind}.${value}`) : value);

/** Whether there is such a text. */
export const has = (name) => name in en;

/** French puts a space that does not break before its high signs and inside its quotes. */
function spaced(texts) {
  const set = (text) =>
    text
      .replace(/ ([;!?])/g, '\u202f$1')
      .replace(/ ([:»])/g, '\u00a0$1')
      .replace(/« /g, '«\u00a0');
  const wrap = (text) => (typeof text === 'function' ? (...values) => set(text(...values)) : set(text));
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, wrap(text)]));
}
