// The system's health: its dependencies, and the queue and workers of each stage. Polled while the page is visible.

import { jobs, STAGES } from '../../jobs/known.js';
import { api } from '../../server/api.js';
import { Store } from '../../store.js';
import { label, t } from '../../text/i18n.js';
import { html, useStore } from '../../ui/dom.js';
import { Icon } from '../../ui/parts.js';

/** Milliseconds between two requests. */
const POLL_INTERVAL = 3000;

/** The number of a stage's workers in one response. */
function workers(response, stage) {
  const { busy, idle } = response?.stages[stage].workers ?? {};
  return (busy ?? 0) + (idle ?? 0);
}

class Health extends Store {
  state = null;
  #previous = null;

  async watch() {
    for (;;) {
      if (!document.hidden) {
        this.#previous = this.state;
        this.state = await api.health().catch(() => null);
        this.changed();
      }
      await new Promise((resume) => setTimeout(resume, POLL_INTERVAL));
    }
  }

  /** Numbers of running tasks, waiting tasks and workers of a stage; empty when the broker does not report them. */
  stage(stage) {
    const { queue_depth: depth, workers: seen } = this.state?.stages[stage] ?? {};
    if (seen?.busy == null) return {};
    return {
      running: seen.busy,
      waiting: depth.interactive + depth.batch - seen.busy,
      // A response misses an idle worker that is between two requests for work. Two in a row mean that it is gone.
      workers: Math.max(workers(this.state, stage), workers(this.#previous, stage)),
    };
  }
}

const health = new Health();
health.watch();

const Count = ({ name, count }) => html`<span><b>${count ?? '–'}</b> ${t(`load.${name}`, count)}</span>`;

/** The running tasks, waiting tasks and workers of each stage. */
export function Load() {
  useStore(health);
  return html`<ul class="load" aria-label=${t('load.title')}>
    ${STAGES.map((stage) => {
      const { running, waiting, workers: there } = health.stage(stage);
      const stuck = there === 0 && waiting > 0;
      return html`<li class="load-stage ${running ? 'busy' : ''} ${stuck ? 'stuck' : ''}" key=${stage}>
        <${Icon} name=${stage} />
        <span class="load-name">${label('stage', stage)}</span>
        <span class="load-counts">
          <${Count} name="running" count=${running} /><${Count} name="waiting" count=${waiting} />
          ${stuck && html`<b class="load-none"><${Icon} name="failed" />${t('load.none')}</b>`}
          ${!stuck && html`<${Count} name="workers" count=${there} />`}
        </span>
      </li>`;
    })}
  </ul>`;
}

/** The state of the connection and of the dependencies, in a few words. */
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
