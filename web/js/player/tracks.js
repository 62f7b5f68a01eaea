// The choice of the audio track of a stream.

import { t } from '../text/i18n.js';
import { html } from '../ui/dom.js';
import { Select } from '../ui/parts.js';

/** The audio tracks that `useStream` returns. Nothing is shown for a single one. */
export const Tracks = ({ tracks, chosen, choose }) =>
  tracks.length > 1 &&
  html`<label class="rendition"><span class="hidden">${t('player.track')}</span>
    <${Select} title=${t('player.track')} value=${chosen} onChoose=${(one) => choose(Number(one))}
      options=${tracks.map(({ name }, number) => [number, name])} /></label>`;
