// The jobs that the page knows, kept current by the server's events.

import { api } from './api.js';
import { announce } from './announce.js';
import { Store } from './dom.js';
import { follow } from './events.js';
import { t } from './i18n.js';

const ENDED = ['succeeded', 'partial', 'failed', 'cancelled'];
const PAGE = 50;

export const STAGES = ['detect', 'scale', 'subtitle'];
export const STATUSES = ['uploading', 'queued', 'running', ...ENDED];
export const hasEnded = (job) => ENDED.includes(job.status);

/** The stages that were asked for, each `[name, stage]`. */
export const stagesOf = (job) => STAGES.filter((name) => name in job.stages).map((name) => [name, job.stages[name]]);

class Jobs extends Store {
  #known = new Map();
  /** The oldest job of the list: older ones are on its next pages. */
  #oldest = '';
  #cursor = null;
  /** Its end does not come up in the list. */
  #opened = null;
  status = '';
  loading = true;
  problem = null;
  /** Whether the server's events come in. */
  live = false;
  /** The job of an upload of this page: its end is told. */
  own = new Set();

  /** Follows the server from now on. */
  start() {
    follow('/api/v1/events', {
      opened: async (resumed) => {
        if (!resumed) await this.load();
        this.live = true;
        this.changed();
      },
      lost: (problem) => {
        this.live = false;
        // A key that may not look: nothing will come.
        if (problem?.status === 403) Object.assign(this, { problem, loading: false });
        this.changed();
      },
      event: (name, data) => {
        if (name === 'reset') this.load();
        else if (name === 'deleted') this.#remove(data.id);
        else this.put(data);
      },
    });
  }

  get more() {
    return this.#cursor !== null;
  }

  get(id) {
    return this.#known.get(id);
  }

  /** Those of the list, newest first: ids are in the order of time. */
  list() {
    const all = [...this.#known.values()].filter((job) => this.#isListed(job));
    return all.sort((a, b) => (a.id < b.id ? 1 : -1));
  }

  /** Tasks that run now, by stage. */
  running() {
    const counts = Object.fromEntries(STAGES.map((stage) => [stage, 0]));
    for (const job of this.#known.values())
      for (const [name, stage] of Object.entries(job.stages)) counts[name] += stage.status === 'running';
    return counts;
  }

  /** Lists those with this status, or all. */
  choose(status) {
    this.status = status;
    return this.load();
  }

  /** Lists anew. */
  async load() {
    this.#cursor = null;
    await this.#page({}, (page) => {
      const opened = this.#known.get(this.#opened);
      this.#known = new Map(opened && [[opened.id, opened]]);
      this.#oldest = page.next_cursor ? page.data.at(-1).id : '';
    });
    // Older ones that run are not listed, and count all the same.
    const running = await api.jobs({ status: 'running', limit: 100 }).catch(() => ({ data: [] }));
    running.data.forEach((job) => this.put(job));
  }

  loadMore() {
    return this.#page({ cursor: this.#cursor }, (page) => {
      this.#oldest = page.next_cursor ? page.data.at(-1).id : '';
    });
  }

  async #page(query, took) {
    this.loading = true;
    this.changed();
    const { status } = this;
    try {
      const page = await api.jobs({ limit: PAGE, ...(status && { status }), ...query });
      if (status !== this.status) return;
      took(page);
      this.#cursor = page.next_cursor;
      this.problem = null;
      page.data.forEach((job) => this.put(job));
    } catch (problem) {
      this.problem = problem;
    }
    this.loading = false;
    this.changed();
  }

  /** Opens one, that may be older than those listed. */
  async open(id) {
    this.#opened = id;
    this.put(await api.job(id));
  }

  /** Takes in a job as it is now. */
  put(job) {
    const before = this.#known.get(job.id);
    if (before && Date.parse(before.updated_at) > Date.parse(job.updated_at)) return;
    if (before && !hasEnded(before) && hasEnded(job)) this.#tell(job);
    this.#known.set(job.id, job);
    if (hasEnded(job) && job.id < this.#oldest && job.id !== this.#opened) this.#known.delete(job.id);
    this.changed();
  }

  async delete(id) {
    await api.delete(id);
    this.#remove(id);
  }

  #remove(id) {
    this.#known.delete(id);
    this.changed();
  }

  #isListed(job) {
    return job.id >= this.#oldest && (!this.status || job.status === this.status);
  }

  #tell(job) {
    if (this.own.has(job.id) || job.id === this.#opened)
      announce(t('told.ended', job.source.filename, t(`status.${job.status}`)));
  }
}

export const jobs = new Jobs();
