// One job in the list.

import { JobActions } from '../../jobs/actions.js';
import { stagesOf } from '../../jobs/known.js';
import { ago, bytes, clock, languageName, moment, percent } from '../../text/format.js';
import { label, t } from '../../text/i18n.js';
import { html, memo } from '../../ui/dom.js';
import { Icon, meaning, Status } from '../../ui/parts.js';

/** Known facts about the video, in a few words. */
function facts(job) {
  const { source, stages, external_id } = job;
  const spoken = stages.detect?.result?.language ?? stages.subtitle?.result?.language;
  const failed = Object.values(stages).find((stage) => stage.status === 'failed');
  return [
    external_id,
    source.size > 0 && bytes(source.size),
    source.media && clock(source.media.duration),
    spoken && languageName(spoken.code, spoken.name),
    failed && meaning(failed.error.code),
  ].filter(Boolean);
}

/** A stage as a small bar. */
function StageBar({ name, stage }) {
  const running = stage.status === 'running';
  const width = `${(stage.finished_at ? 1 : stage.progress) * 100}%`;
  const text = running ? percent(stage.progress) : label('status', stage.status);
  return html`<li class="stage-bar ${name} ${stage.status}" title="${label('stage', name)}: ${text}">
    <${Icon} name=${name} /><span class="hidden">${label('stage', name)}: </span>
    <span class="stage-bar-track" aria-hidden="true"><span style=${{ width }}></span></span>
    <span class=${running ? 'stage-bar-text' : 'hidden'}>${text}</span>
  </li>`;
}

/** A row of the list. A change of `stamp` renders the same job again: for another language, or a minute later. */
export const Row = memo(
  ({ job }) => html`<li class="row">
  <${Status} status=${job.status} />
  <div class="row-name">
    <a href="#/jobs/${job.id}">${job.source.filename}</a>
    <p class="fine">${facts(job).join(' · ')}</p>
  </div>
  <ul class="stage-bars" aria-label=${t('job.stages')}>
    ${stagesOf(job).map(([name, stage]) => html`<${StageBar} key=${name} name=${name} stage=${stage} />`)}
  </ul>
  <time class="fine" datetime=${job.created_at} title=${moment(job.created_at)}>${ago(job.created_at)}</time>
  <${JobActions} job=${job} />
</li>`,
);
