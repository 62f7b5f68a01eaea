// What the system is doing: its dependencies, and the queue of each stage. Asked for while somebody looks.

import { api } from './api.js';
import { html, Store, useStore } from './dom.js';
import { t } from './i18n.js';
import { STAGES, jobs } from './jobs.js';
import { Icon } from './parts.js';

const PERIOD = 5000;

class Health extends Store {
  state = null;

  async watch() {
    for (;;) {
      if (!document.hidden) {
        this.state = await api.health().catch(() => null);
        this.changed();
      }
      await new Promise((resume) => setTimeout(resume, PERIOD));
    }
  }
}

const health = new Health();
health.watch();

/** Waiting and running of a stage; `undefined` when the broker does not tell. */
function depth(stage) {
  const { interactive, batch } = health.state?.stages[stage].queue_depth ?? {};
  return interactive == null || batch == null ? undefined : interactive + batch;
}

/** Each stage with what runs and what waits. */
export function Load() {
  useStore(health);
  const running = useStore(jobs).running();
  return html`<ul class="load" aria-label=${t('load.title')}>
    ${STAGES.map((stage) => {
      const all = depth(stage);
      const waiting = all === undefined ? '–' : Math.max(0, all - running[stage]);
      return html`<li class="load-stage ${running[stage] ? 'busy' : ''}" key=${stage}>
        <${Icon} name=${stage} />
        <span class="load-name">${t(`stage.${stage}`)}</span>
        <span><b>${running[stage]}</b> ${t('load.running', running[stage])}</span>
        <span><b>${waiting}</b> ${t('load.waiting', waiting)}</span>
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
