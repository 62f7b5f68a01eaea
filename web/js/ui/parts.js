// Small components that several views share.

import { percent } from '../text/format.js';
import { has, label, t } from '../text/i18n.js';
import { announce } from './announce.js';
import { html } from './dom.js';
import { ICONS } from './icons.js';

/** Statuses that use the icon of another status. */
const SHARED_ICONS = { uploading: 'upload', waiting: 'queued', skipped: 'cancelled' };

export const Icon = ({ name }) => html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
  <path d=${ICONS[SHARED_ICONS[name] ?? name]} />
</svg>`;

/** A status with an icon and a text, because colour alone is not accessible. */
export const Status = ({ status }) => html`<span class="status ${status}">
  <${Icon} name=${status} />${label('status', status)}
</span>`;

/** A progress bar. `value` is from 0 to 1. */
export const Progress = ({ value, label }) => html`<div class="progress" role="progressbar" aria-label=${label}
  aria-valuemin="0" aria-valuemax="100" aria-valuenow=${Math.round(value * 100)} aria-valuetext=${percent(value)}>
  <div style=${{ width: `${value * 100}%` }}></div>
</div>`;

/** A drop-down list. Each of `options` is `[value, name]`. */
export const Select = ({ options, value, onChoose, ...rest }) => html`<select ...${rest}
  onChange=${(event) => onChoose(event.target.value)}>
  ${options.map(([one, name]) => html`<option key=${one} value=${one} selected=${one === value}>${name}</option>`)}
</select>`;

/** A button with an icon only. Its label is the tooltip and the accessible name. */
export const IconButton = ({ icon, label, ...rest }) => html`<button type="button" class="icon-button"
  aria-label=${label} title=${label} ...${rest}><${Icon} name=${icon} /></button>`;

/** The text of a failure code, skip code or problem code. */
export const meaning = (code) => t(has(`code.${code}`) ? `code.${code}` : 'code.internal');

/** Explains a problem: what happened, what to do, and the server's own message below. */
export function Explained({ problem }) {
  const { code, detail, requestId } = problem;
  return html`<div class="explained">
    <p><b>${meaning(code)}</b></p>
    ${has(`todo.${code}`) && html`<p>${t(`todo.${code}`)}</p>`}
    <p class="fine">${t('code.label')} <code>${code}</code>
      ${detail && html` · <span lang="en">${detail}</span>`}
      ${requestId && html` · ${t('code.request')} <code>${requestId}</code>`}</p>
  </div>`;
}

/** Runs the action, and shows a message when it fails. */
export async function attempt(action) {
  try {
    await action();
  } catch (problem) {
    announce(meaning(problem.code), 'error');
  }
}
