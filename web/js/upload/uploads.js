// The list of uploads that are not jobs yet.

import { bytes, duration, percent } from '../text/format.js';
import { t } from '../text/i18n.js';
import { html, useStore } from '../ui/dom.js';
import { Explained, IconButton, Progress } from '../ui/parts.js';
import { uploads } from './queue.js';

/** The state of an upload, on one line. */
function stateText(upload) {
  const { state, sent, file, speed, secondsLeft } = upload;
  const amount = sent ? t('upload.amount', bytes(sent), bytes(file.size)) : bytes(file.size);
  if (state !== 'sending' || !speed) return `${t(`upload.${state}`)} · ${amount}`;
  const left = t('upload.left', duration(secondsLeft));
  return [percent(sent / file.size), amount, t('upload.speed', bytes(speed)), left].join(' · ');
}

/** The icon and the action of the main button, by the upload's state. */
const BUTTONS = {
  sending: ['pause', 'pause'],
  waiting: ['pause', 'pause'],
  paused: ['play', 'resume'],
  failed: ['retry', 'resume'],
};

/** Waiting uploads in the list. The others are only counted, because there may be thousands. */
const WAITING_SHOWN = 3;

function UploadItem({ upload }) {
  const { file, state, sent, problem } = upload;
  const [icon, action] = BUTTONS[state] ?? BUTTONS.sending;
  return html`<li class="upload ${state}">
    <div class="upload-head">
      <p><b>${file.name}</b> <span class="fine">${stateText(upload)}</span></p>
      ${[
        [icon, action],
        ['close', 'cancel'],
      ].map(
        ([picture, act]) => html`<${IconButton} key=${act} icon=${picture}
        label=${t(`upload.${act}Of`, file.name)} onClick=${() => uploads[act](upload)} />`,
      )}
    </div>
    <${Progress} value=${file.size ? sent / file.size : 0} label=${file.name} />
    ${problem && html`<${Explained} problem=${problem} />`}
  </li>`;
}

export function Uploads() {
  const { all } = useStore(uploads);
  const waiting = all.filter(({ state }) => state === 'waiting').slice(WAITING_SHOWN);
  const shown = all.filter((upload) => !waiting.includes(upload));
  const dropRest = () => {
    for (const upload of waiting) uploads.cancel(upload);
  };
  if (!all.length) return null;
  return html`<ul class="uploads" aria-label=${t('upload.list')}>
    ${shown.map((upload) => html`<${UploadItem} key=${upload.id} upload=${upload} />`)}
    ${
      waiting.length > 0 &&
      html`<li class="upload-rest">
      <span>${t('upload.rest', waiting.length)}</span>
      <button type="button" class="quiet small" onClick=${dropRest}>${t('upload.dropRest')}</button>
    </li>`
    }
  </ul>`;
}
