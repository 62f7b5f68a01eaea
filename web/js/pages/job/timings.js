// Timings of the stages, as bars on a common time line and as numbers.

import { hasEnded, stagesOf } from '../../jobs/known.js';
import { duration } from '../../text/format.js';
import { label, t } from '../../text/i18n.js';
import { html } from '../../ui/dom.js';

const PHASES = ['queued', 'fetch', 'process', 'store'];

/** A stage's phases in seconds after `start`. Each phase follows the previous one, and the last ends with the stage. */
function spans({ timings, finished_at }, start) {
  let at = (Date.parse(finished_at) - start) / 1000 - PHASES.reduce((sum, phase) => sum + timings[phase], 0);
  return PHASES.map((phase) => {
    const span = { phase, at: Math.max(0, at), lasts: timings[phase] };
    at += timings[phase];
    return span;
  });
}

const Swatch = ({ phase }) => html`<span class="swatch phase-${phase}" aria-hidden="true"></span>`;

export function Timings({ job }) {
  const stages = stagesOf(job).filter(([, { timings, finished_at }]) => timings && finished_at);
  if (!stages.length) return null;
  const start = Date.parse(job.created_at);
  const length = Math.max(...stages.map(([, stage]) => (Date.parse(stage.finished_at) - start) / 1000));
  const share = (seconds) => `${(seconds / length) * 100}%`;
  const bar = ({ phase, at, lasts }) => html`<span class="phase-${phase}"
    title="${t(`timings.${phase}`)}: ${duration(lasts)}" style=${{ left: share(at), width: share(lasts) }}></span>`;
  return html`<section class="card" aria-labelledby="timings-title">
    <h2 id="timings-title">${t('timings.title')}</h2>
    <ul class="gantt" aria-hidden="true">
      ${stages.map(
        ([name, stage]) => html`<li key=${name}>
        <b>${label('stage', name)}</b><div>${spans(stage, start).map(bar)}</div>
      </li>`,
      )}
    </ul>
    <div class="wide" role="group" aria-labelledby="timings-title" tabindex="0"><table class="timings">
      <thead><tr>
        <th scope="col">${t('timings.stage')}</th>
        ${PHASES.map(
          (phase) => html`<th key=${phase} scope="col">
          <${Swatch} phase=${phase} />${t(`timings.${phase}`)}
        </th>`,
        )}
      </tr></thead>
      <tbody>${stages.map(
        ([name, { timings }]) => html`<tr key=${name}>
        <th scope="row">${label('stage', name)}</th>
        ${PHASES.map((phase) => html`<td key=${phase}>${duration(timings[phase])}</td>`)}
      </tr>`,
      )}</tbody>
    </table></div>
    ${hasEnded(job) && html`<p class="fine">${t('timings.whole', duration(length))}</p>`}
  </section>`;
}
