// The seek bar of the player: the position, and a preview under the pointer.

import { clock } from '../text/format.js';
import { t } from '../text/i18n.js';
import { html, useState } from '../ui/dom.js';
import { usePlayback } from './playback.js';
import { Preview, useStoryboard } from './storyboard.js';

const timeOf = (playback) => playback.time;
const endOf = (playback) => playback.end;

/** Seconds of the film. While it is made, the length is unknown, and the bar ends where the video can be played to. */
function useDuration(job, playback) {
  const end = usePlayback(playback, endOf);
  return job.stages.scale.result?.renditions[0].duration ?? end;
}

export function Scrubber({ job, playback }) {
  const duration = useDuration(job, playback);
  const time = usePlayback(playback, timeOf);
  const [place, point] = useState(null);
  const [wanted, want] = useState(false);
  const storyboard = useStoryboard(job, wanted);
  const near = () => want(true);
  const share = (seconds) => (duration ? seconds / duration : 0);
  const pointed = (event) => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    point(Math.min(1, Math.max(0, (event.clientX - left) / width)));
  };
  const leave = () => point(null);
  // With the keyboard, the preview shows the current position.
  const moved = (event) => {
    playback.seek(Number(event.target.value));
    point(share(event.target.value));
  };
  return html`<div class="scrubber">
    <span class="clock">${clock(time)}</span>
    <div class="scrubber-bar" onPointerEnter=${near} onPointerMove=${pointed} onPointerLeave=${leave}>
      ${place !== null && html`<${Preview} storyboard=${storyboard} time=${place * duration} place=${place} />`}
      <input type="range" min="0" max=${duration} step="0.1" value=${time} aria-label=${t('player.position')}
        aria-valuetext=${t('player.at', clock(time), clock(duration))}
        style=${{ '--done': `${share(time) * 100}%` }} onFocus=${near} onInput=${moved} onBlur=${leave} />
    </div>
    <span class="clock">${clock(duration)}</span>
  </div>`;
}
