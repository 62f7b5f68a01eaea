// The button that copies the code to embed a job's stream in another page.

import { api } from '../../server/api.js';
import { moment } from '../../text/format.js';
import { t } from '../../text/i18n.js';
import { announce } from '../../ui/announce.js';
import { html } from '../../ui/dom.js';
import { attempt, Icon } from '../../ui/parts.js';

/** Lifetime of the grant in seconds: the longest that the API accepts. */
const LIFETIME = 604_800;

const codeOf = ({ embed }) =>
  `<iframe src="${new URL(embed, location.href).href}" width="640" height="360" ` +
  'allow="autoplay; fullscreen; picture-in-picture" allowfullscreen></iframe>';

/** Puts the code on the clipboard; fails where the browser has none, as on a page without HTTPS. */
async function write(granted) {
  const { clipboard } = navigator;
  if (!clipboard) throw new Error('no clipboard');
  // The content is a promise, because Safari opens the clipboard at the click alone, and not after the API's answer.
  const code = granted.then((playback) => new Blob([codeOf(playback)], { type: 'text/plain' }));
  await clipboard.write([new ClipboardItem({ 'text/plain': code })]);
}

async function copy({ id }) {
  const granted = api.playback(id, { seconds: LIFETIME });
  const copied = write(granted).then(
    () => true,
    () => false,
  );
  const playback = await granted;
  const end = moment(playback.expires_at);
  if (await copied) announce(t('embed.copied', end));
  else prompt(t('embed.select', end), codeOf(playback));
}

export const EmbedButton = ({ job }) =>
  job.playable_at &&
  html`<button type="button" class="quiet" onClick=${() => attempt(() => copy(job))}>
    <${Icon} name="embed" />${t('embed.copy')}
  </button>`;
