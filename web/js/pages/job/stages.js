// The stages of a job: the progress, the result or the failure of each.

import { stagesOf } from '../../jobs/known.js';
import { duration, languageName, percent, probability, speed } from '../../text/format.js';
import { label, t } from '../../text/i18n.js';
import { html } from '../../ui/dom.js';
import { Explained, Icon, meaning, Progress, Status } from '../../ui/parts.js';

/** The least progress for an estimate of the remaining time. */
const LEAST_FOR_ESTIMATE = 0.05;

/** The estimated remaining time in seconds; null without an estimate. */
function secondsLeft({ started_at, progress }) {
  if (progress < LEAST_FOR_ESTIMATE || progress >= 1) return null;
  const passed = (Date.now() - Date.parse(started_at)) / 1000;
  return (passed / progress) * (1 - progress);
}

/** The progress of a running stage, on one line. */
function progressText(stage) {
  const left = secondsLeft(stage);
  return [
    percent(stage.progress),
    label('phase', stage.phase),
    stage.parts && t('stage.parts', stage.parts),
    stage.speed && t('stage.speed', speed(stage.speed)),
    left && t('upload.left', duration(left)),
    stage.attempt > 1 && t('stage.attempt', stage.attempt),
  ]
    .filter(Boolean)
    .join(' · ');
}

/** The result of each stage, on one line. */
const RESULT_TEXT = {
  detect: ({ language, confidence }) => `${languageName(language.code, language.name)} · ${probability(confidence)}`,
  scale: ({ renditions, media }) => {
    const smallest = Math.min(...renditions.map(({ size }) => size));
    return `${t('stage.renditions', renditions.length)} · ${t('stage.smallest', percent(smallest / media.size))}`;
  },
  subtitle: ({ language, translated, cues, words }) => {
    const name = languageName(language.code, language.name);
    const parts = [name, translated && t('stage.translated'), t('stage.cues', cues), t('stage.words', words)];
    return parts.filter(Boolean).join(' · ');
  },
};

function Outcome({ name, stage }) {
  if (stage.status === 'failed') return html`<p><code>${stage.error.code}</code></p>`;
  if (stage.error) return html`<p>${meaning(stage.error.code)}</p>`;
  if (stage.result) return html`<p>${RESULT_TEXT[name]?.(stage.result)}</p>`;
  if (stage.status === 'running') return html`<p>${progressText(stage)}</p>`;
  return html`<p class="fine">${t(`stage.is.${stage.status}`)}</p>`;
}

const Card = ({ name, stage }) => html`<li class="stage ${stage.status}">
  <h2><${Icon} name=${name} />${label('stage', name)}<${Status} status=${stage.status} /></h2>
  ${stage.finished_at ? null : html`<${Progress} value=${stage.progress} label=${label('stage', name)} />`}
  <${Outcome} name=${name} stage=${stage} />
</li>`;

/** The failures. Stages that failed with the same code share one explanation; each has its own detail. */
function Failures({ stages }) {
  const alike = Map.groupBy(
    stages.filter(([, { status }]) => status === 'failed'),
    ([, { error }]) => error.code,
  );
  return [...alike].map(
    ([code, failed]) => html`<div key=${code} class="failure">
    <${Explained} problem=${{ code }} />
    <ul class="fine">${failed.map(
      ([name, { error }]) => html`<li key=${name}>
      ${label('stage', name)} · <span lang="en">${error.detail}</span>
    </li>`,
    )}</ul>
  </div>`,
  );
}

export function Stages({ job }) {
  const stages = stagesOf(job);
  return html`<${Failures} stages=${stages} />
    <ul class="stages" aria-label=${t('job.stages')}>
      ${stages.map(([name, stage]) => html`<${Card} key=${name} name=${name} stage=${stage} />`)}
    </ul>`;
}
