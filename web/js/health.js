// What the system is doing: its dependencies, and each stage's queue and workers. Asked for while somebody looks.

import { api } from './api.js';
import { html, Store, useStore } from './dom.js';
import { label, t } from './i18n.js';
import { jobs, STAGES } from './jobs.js';
import { Icon } from './parts.js';

const PERIOD = 3000;

/** Workers of a stage, as one look saw them. */
function workers(look, stage) {
  const { busy, idle } = look?.stages[stage].workers ?? {};
  return (busy ?? 0) + (idle ?? 0);
}

class Health extends Store {
  state = null;
  #before = null;

  async watch() {
    for (;;) {
      if (!document.hidden) {
        this.#before = this.state;
        this.state = await api.health().catch(() => null);
        this.changed();
      }
      await new Promise((resume) => setTimeout(resume, PERIOD));
    }
  }

  /** What a stage does: nothing, when the broker does not tell. */
  stage(stage) {
    const { queue_depth: depth, workers: seen } = this.state?.stages[stage] ?? {};
    if (seen?.busy == null) return {};
    return {
      running: seen.busy,
      waiting: depth.interactive + depth.batch - seen.busy,
      // An idle worker can be missed, between two of its requests for work: twice in a row it is gone.
      workers: Math.max(workers(this.state, stage), workers(this.#before, stage)),
    };
  }
}

const health = new Health();
health.watch();

const Figure = ({ name, count }) => html`<span><b>${count ?? '–'}</b> ${t(`load.${name}`, count)}</span>`;

/** Each stage with what runs, what waits, and who works on it. */
export function Load() {
  useStore(health);
  return html`<ul class="load" aria-label=${t('load.title')}>
    ${STAGES.map((stage) => {
      const { running, waiting, workers: there } = health.stage(stage);
      const stuck = there === 0 && waiting > 0;
      return html`<li class="load-stage ${running ? 'busy' : ''} ${stuck ? 'stuck' : ''}" key=${stage}>
        <${Icon} name=${stage} />
        <span class="load-name">${label('stage', stage)}</span>
        <span class="load-figures">
          <${Figure} name="running" count=${running} /><${Figure} name="waiting" count=${waiting} />
          ${stuck && html`<b class="load-none"><${Icon} name="failed" />${t('load.none')}</b>`}
          ${!stuck && html`<${Figure} name="workers" count=${there} />`}
        </span>
      </li>`;
    })}
  </ul>`;
}

/** Whether everything is there, in a word. */
export function Connection() {
  const { state } = useStore(health);
  const { live } = useStore(jobs);
  const down = Object.entries(state?.dependencies ?? {}).filter(([, one]) => one.status !== 'up');
  const [kind, text] = !live
    ? ['lost', t('live.lost')]
    : down.length
      ? ['degraded', t('live.down', down.map(([name]) => t(`dependency.${name}`)).join(', '))]
      : ['live', t('live.on')];
  return html`<span class="connection ${kind}" role="status">${text}</span>`;
}
