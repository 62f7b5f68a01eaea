// The label of a film that is still being made. It says how far the film can be played.

import { clock } from '../text/format.js';
import { t } from '../text/i18n.js';
import { html } from '../ui/dom.js';
import { usePlayback } from './playback.js';

/** True while the film is being made and its beginning can be played. */
export const isGrowing = (job) => Boolean(job.playable_at) && !job.stages.scale.finished_at;

const secondsOf = (playback) => Math.floor(playback.end);

export function Growing({ playback }) {
  const seconds = usePlayback(playback, secondsOf);
  return seconds > 0 && html`<p class="growing">${t('player.growing', clock(seconds))}</p>`;
}
