// The renditions, and the size of each compared with the source.

import { Download, output, rung } from '../../jobs/outputs.js';
import { bitrate, bytes, list, percent } from '../../text/format.js';
import { t } from '../../text/i18n.js';
import { html } from '../../ui/dom.js';

const HEADS = ['renditions.name', 'renditions.size', 'download'];

const percentOf = (share) => `${share * 100}%`;

/** A file's dimensions, codecs and bit rate, and if it has the picture of the source. */
const about = ({ width, height, made }, codecs, rate) =>
  [`${width}×${height}`, list(codecs.filter(Boolean)), bitrate(rate), made === 'copied' && t('renditions.copied')]
    .filter(Boolean)
    .join(' · ');

const Size = ({ name, facts, size, ratio, children }) => html`<tr>
  <th scope="row">${name}<span class="fine">${facts}</span></th>
  <td class="size">
    <span class="bar" aria-hidden="true"><span style=${{ width: percentOf(Math.min(1, ratio)) }}></span></span>
    <span class="number">${bytes(size)}</span> <span class="fine">${percent(ratio)}</span>
  </td>
  <td>${children}</td>
</tr>`;

export function Renditions({ job }) {
  const { media, renditions } = job.stages.scale.result;
  const { video, audio } = media;
  return html`<section class="card" aria-labelledby="renditions-title">
    <h2 id="renditions-title">${t('stage.scale')}</h2>
    <table class="renditions">
      <thead class="hidden"><tr>
        ${HEADS.map((name) => html`<th key=${name} scope="col">${t(name)}</th>`)}
      </tr></thead>
      <tbody>
        <${Size} name=${t('renditions.source')} size=${media.size} ratio=${1}
          facts=${about(video, [video.codec, audio[0]?.codec], media.bitrate)} />
        ${renditions.map(
          (one) => html`<${Size} key=${one.name} name=${rung(one)} size=${one.size} ratio=${one.ratio}
          facts=${about(one, [one.video_codec, one.audio_codec], one.bitrate)}>
          <${Download} job=${job} file=${output(job, 'scale', one.name)} />
        <//>`,
        )}
      </tbody>
    </table>
  </section>`;
}
