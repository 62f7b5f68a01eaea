// The page of one job.

import { JobButtons } from '../../jobs/actions.js';
import { jobs } from '../../jobs/known.js';
import { summary } from '../../jobs/options.js';
import { Playback } from '../../player/playback.js';
import { Player } from '../../player/player.js';
import { hasStream } from '../../player/stream.js';
import { bitrate, bytes, clock, frames, list, moment } from '../../text/format.js';
import { t } from '../../text/i18n.js';
import { html, useEffect, useMemo, useRef, useState, useStore } from '../../ui/dom.js';
import { Explained, Icon, Status } from '../../ui/parts.js';
import { Outputs } from './downloads.js';
import { EmbedButton } from './embed.js';
import { Language } from './language.js';
import { Renditions } from './renditions.js';
import { Stages } from './stages.js';
import { Timings } from './timings.js';
import { Transcript } from './transcript.js';

/** Facts about the source and the job, each `[name, value]`. */
function facts({ source, options, created_at, expires_at, external_id, batch_id, id }) {
  const { media } = source;
  const { video, audio } = media ?? {};
  return [
    ['size', source.size > 0 && bytes(source.size)],
    ['duration', media && clock(media.duration)],
    ['video', video && `${video.width}×${video.height} · ${t('facts.fps', frames(video.fps))} · ${video.codec}`],
    ['audio', audio?.length && list(audio.map(({ codec }) => codec))],
    ['bitrate', media && bitrate(media.bitrate)],
    ['options', summary(options)],
    ['created', moment(created_at)],
    ['expires', expires_at && moment(expires_at)],
    ['external', external_id],
    ['batch', batch_id],
    ['id', html`<code>${id}</code>`],
  ].filter(([, value]) => value);
}

const Facts = ({ job }) => html`<dl class="facts">
  ${facts(job).map(([name, value]) => html`<div key=${name}><dt>${t(`facts.${name}`)}</dt><dd>${value}</dd></div>`)}
</dl>`;

/** The content of the page for a job that was found. */
function Content({ job }) {
  const playback = useMemo(() => new Playback(), []);
  const [deleted, setDeleted] = useState(false);
  const title = useRef();
  useEffect(() => title.current.focus({ preventScroll: true }), []);
  useEffect(() => {
    document.title = `${job.source.filename} · VidP`;
  }, [job.source.filename]);
  useEffect(() => {
    if (deleted) location.hash = '#/';
  }, [deleted]);
  const { scale, detect } = job.stages;
  // A stream can be played before the renditions are complete.
  const playable = hasStream(job) || (scale?.result && scale.outputs.length > 0);
  return html`
    <div class="job-head">
      <h1 ref=${title} tabindex="-1">${job.source.filename}</h1>
      <${Status} status=${job.status} />
      <${JobButtons} job=${job} deleted=${() => setDeleted(true)}><${EmbedButton} job=${job} /><//>
    </div>
    <${Facts} job=${job} />
    <${Stages} job=${job} />
    <div class="watch">
      ${playable && html`<${Player} job=${job} playback=${playback} />`}
      <${Transcript} job=${job} playback=${playback} />
    </div>
    <div class="results">
      ${detect?.result && html`<${Language} job=${job} playback=${playback} />`}
      ${scale?.result && html`<${Renditions} job=${job} />`}
      <${Timings} job=${job} />
      <${Outputs} job=${job} />
    </div>`;
}

export function JobPage({ id }) {
  useStore(jobs);
  const [problem, setProblem] = useState(null);
  const [found, setFound] = useState(false);
  useEffect(() => {
    jobs.open(id).then(() => setFound(true), setProblem);
  }, [id]);
  const job = jobs.get(id);
  const gone = problem ?? (found && !job && { code: 'not_found' });
  return html`<article class="job-page">
    <a class="back" href="#/"><${Icon} name="back" />${t('job.back')}</a>
    ${job && html`<${Content} job=${job} />`}
    ${!job && gone && html`<h1 tabindex="-1">${t('job.gone')}</h1><${Explained} problem=${gone} />`}
    ${!job && !gone && html`<p class="nothing">${t('list.loading')}</p>`}
  </article>`;
}
