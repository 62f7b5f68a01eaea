// The little picture above the bar while somebody looks for a place.

import { api } from './api.js';
import { html } from './dom.js';
import { clock } from './format.js';
import { indexAt, tiles } from './cues.js';
import { output, useOutput } from './outputs.js';

/** The storyboard of a job: `{image, tiles}`. */
export function useStoryboard(job) {
  const all = useOutput(output(job, 'scale', 'storyboard.vtt'), async (file) => tiles(await api.text(file)));
  const image = useOutput(output(job, 'scale', 'storyboard.jpg'), (file) => api.address(file));
  return all && image && { image, tiles: all };
}

/** The picture at `time`; `place` is its share of the bar, 0 to 1. */
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
