// The preview image above the seek bar.

import { output, useBlob, useOutput } from '../jobs/outputs.js';
import { api } from '../server/api.js';
import { clock } from '../text/format.js';
import { html } from '../ui/dom.js';
import { indexAt, tiles } from './cues.js';

/** The storyboard of a job, `{image, tiles}`. It loads once `wanted` is true. */
export function useStoryboard(job, wanted) {
  const file = (name) => wanted && output(job, 'scale', name);
  const all = useOutput(file('storyboard.vtt'), async (one) => tiles(await api.text(one)));
  const image = useBlob(file('storyboard.jpg'), api.blob);
  return all && image && { image, tiles: all };
}

/** The preview at `time`, in seconds. `place` is its position on the bar, from 0 to 1. */
export function Preview({ storyboard, time, place }) {
  const tile = storyboard?.tiles[Math.max(0, indexAt(storyboard.tiles, time))];
  const picture = tile && {
    width: `${tile.width}px`,
    height: `${tile.height}px`,
    backgroundImage: `url("${storyboard.image}")`,
    backgroundPosition: `-${tile.x}px -${tile.y}px`,
  };
  const half = (tile?.width ?? 60) / 2;
  const left = `clamp(${half}px, ${place * 100}%, calc(100% - ${half}px))`;
  return html`<div class="preview" aria-hidden="true" style=${{ left }}>
    ${picture && html`<div class="preview-picture" style=${picture}></div>`}
    <span>${clock(time)}</span>
  </div>`;
}
