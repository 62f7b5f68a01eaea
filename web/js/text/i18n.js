// The page's language: the browser's, unless the user has chosen another one.

import { Store } from '../store.js';
import en from './en.js';
import fr from './fr.js';

const ITEM = 'vidp-language';
const TEXTS = { en, fr: spaced(fr) };
export const LANGUAGES = { en: 'English', fr: 'Français' };

/** The code that the user chose; null without a choice, and in a frame for which the browser blocks the storage. */
function stored() {
  try {
    return localStorage.getItem(ITEM);
  } catch {
    return null;
  }
}

/** Language codes, in the order of preference. */
const wanted = [stored(), ...navigator.languages.map((tag) => tag.slice(0, 2)), 'en'];

let current = wanted.find((code) => code in TEXTS);
document.documentElement.lang = current;

/** Notifies its listeners when the user chooses another language. */
export const languageChoice = new Store();

/** The code of the current language. */
export const language = () => current;

/** The language with the user's country, for the format of numbers and dates: `en-GB`. */
export const locale = () => navigator.languages.find((tag) => tag.slice(0, 2) === current) ?? current;

/** Changes the page's language, and stores the choice. */
export function choose(code) {
  current = code;
  localStorage.setItem(ITEM, code);
  document.documentElement.lang = code;
  languageChoice.changed();
}

/** The text with this name. A text that is a function receives `values`. */
export function t(name, ...values) {
  const text = TEXTS[current][name] ?? en[name] ?? name;
  return typeof text === 'function' ? text(...values) : text;
}

/** The text of one of the API's values, such as `stage.scale`; the value itself when the page has no text for it. */
export const label = (kind, value) => (has(`${kind}.${value}`) ? t(`${kind}.${value}`) : value);

/** True when a text with this name exists. */
export const has = (name) => name in en;

/** Makes the spaces of French typography non-breaking: before `; ! ? :`, and inside quotation marks. */
function spaced(texts) {
  const set = (text) =>
    text
      .replace(/ ([;!?])/g, '\u202f$1')
      .replace(/ ([:»])/g, '\u00a0$1')
      .replace(/« /g, '«\u00a0');
  const wrap = (text) => (typeof text === 'function' ? (...values) => set(text(...values)) : set(text));
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, wrap(text)]));
}
