// Small pieces that several views are made of.

import { announce } from './announce.js';
import { html } from './dom.js';
import { percent } from './format.js';
import { has, label, t } from './i18n.js';
import { ICONS } from './icons.js';

/** Statuses that share the picture of another. */
const PICTURES = { uploading: 'upload', waiting: 'queued', skipped: 'cancelled' };

export const Icon = ({ name }) => html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
  <path d=${ICONS[PICTURES[name] ?? name]} />
</svg>`;

/** A status: never by its colour alone. */
export const Status = ({ status }) => html`<span class="status ${status}">
  <${Icon} name=${status} />${label('status', status)}
</span>`;

/** How much is done, 0 to 1. */
export const Progress = ({ value, label }) => html`<div class="progress" role="progressbar" aria-label=${label}
  aria-valuemin="0" aria-valuemax="100" aria-valuenow=${Math.round(value * 100)} aria-valuetext=${percent(value)}>
  <div style=${{ width: `${value * 100}%` }}></div>
</div>`;

/** A choice of one; `options` are `[value, name]`. */
export const Select = ({ options, value, onChoose, ...rest }) => html`<select ...${rest}
  onChange=${(event) => onChoose(event.target.value)}>
  ${options.map(([one, name]) => html`<option key=${one} value=${one} selected=${one === value}>${name}</option>`)}
</select>`;

/** A button that is a picture alone. */
export const IconButton = ({ icon, label, ...rest }) => html`<button type="button" class="icon-button"
  aria-label=${label} title=${label} ...${rest}><${Icon} name=${icon} /></button>`;

/** What a code means, in words. */
export const meaning = (code) => t(has(`code.${code}`) ? `code.${code}` : 'code.internal');

/** What went wrong and what to do, in words; the server's own sentence below. */
export function Explained({ problem }) {
  const { code, detail, requestId } = problem;
  return html`<div class="explained">
    <p><b>${meaning(code)}</b></p>
    ${has(`todo.${code}`) && html`<p>${t(`todo.${code}`)}</p>`}
    <p class="fine">${t('code.said')} <code>${code}</code>
      ${detail && html` · <span lang="en">${detail}</span>`}
      ${requestId && html` · ${t('code.request')} <code>${requestId}</code>`}</p>
  </div>`;
}

/** Does it, and tells when that fails. */
export async function attempt(action) {
  try {
    await action();
  } catch (problem) {
    announce(meaning(problem.code), 'error');
  }
}
