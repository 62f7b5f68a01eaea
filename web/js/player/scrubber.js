// The seek bar of the player: the position, and a preview under the pointer.

import { clock } from '../text/format.js';
import { t } from '../text/i18n.js';
import { html, useState } from '../ui/dom.js';
import { usePlayback } from './playback.js';
import { Preview, useStoryboard } from './storyboard.js';

const timeOf = (playback) => playback.time;

export function Scrubber({ job, playback }) {
  const { duration } = job.stages.scale.result.renditions[0];
  const time = usePlayback(playback, timeOf);
  const [place, point] = useState(null);
  const [wanted, want] = useState(false);
  const storyboard = useStoryboard(job, wanted);
  const near = () => want(true);
  const pointed = (event) => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    point(Math.min(1, Math.max(0, (event.clientX - left) / width)));
  };
  const leave = () => point(null);
  // With the keyboard, the preview shows the current position.
  const moved = (event) => {
    playback.seek(Number(event.target.value));
    point(event.target.value / duration);
  };
  return html`<div class="scrubber">
    <span class="clock">${clock(time)}</span>
    <div class="scrubber-bar" onPointerEnter=${near} onPointerMove=${pointed} onPointerLeave=${leave}>
      ${place !== null && html`<${Preview} storyboard=${storyboard} time=${place * duration} place=${place} />`}
      <input type="range" min="0" max=${duration} step="0.1" value=${time} aria-label=${t('player.position')}
        aria-valuetext=${t('player.at', clock(time), clock(duration))}
        style=${{ '--done': `${(time / duration) * 100}%` }} onFocus=${near} onInput=${moved} onBlur=${leave} />
    </div>
    <span class="clock">${clock(duration)}</span>
  </div>`;
}
