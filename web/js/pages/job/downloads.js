// Downloads of the files other than videos: subtitles, transcript, images.

import { stagesOf } from '../../jobs/known.js';
import { Download } from '../../jobs/outputs.js';
import { bytes } from '../../text/format.js';
import { t } from '../../text/i18n.js';
import { html } from '../../ui/dom.js';

/** True for the tracks of a stream and their index: players read them. */
const isStream = ({ name }) => name === 'stream.json' || /\.cmf[av]$/.test(name);

/** File formats by file extension. */
const KINDS = { srt: 'SubRip', vtt: 'WebVTT', json: 'JSON', jpg: 'JPEG' };
const kind = ({ name }) => KINDS[name.split('.').at(-1)] ?? t('files.text');

export function Outputs({ job }) {
  const outputs = stagesOf(job).flatMap(([, stage]) => stage.outputs);
  const files = outputs.filter((one) => !one.content_type.startsWith('video/') && !isStream(one));
  if (!files.length) return null;
  return html`<section class="card" aria-labelledby="files-title">
    <h2 id="files-title">${t('files.title')}</h2>
    <ul class="files">
      ${files.map(
        (file) => html`<li key=${file.name}>
        <span>${file.name}<span class="fine">${kind(file)} · ${bytes(file.size)}</span></span>
        <${Download} job=${job} file=${file} />
      </li>`,
      )}
    </ul>
  </section>`;
}
