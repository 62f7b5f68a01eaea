// The jobs that the page knows, kept current by the server's events.

import { announce } from './announce.js';
import { api } from './api.js';
// biome-ignore lint/correctness/noUnresolvedImports: the server generates this module (`api/src/web.rs`).
import { STAGES } from './contract.js';
import { Store } from './dom.js';
import { follow } from './events.js';
import { label, t } from './i18n.js';

const ENDED = ['succeeded', 'partial', 'failed', 'cancelled'];
const PAGE = 50;
/** The server is asked once nobody has typed for this long. Milliseconds. */
const TYPING = 250;

export { STAGES };
export const STATUSES = ['uploading', 'queued', 'running', ...ENDED];
export const hasEnded = (job) => ENDED.includes(job.status);

/** The stages that were asked for, each `[name, stage]`. */
export const stagesOf = (job) => STAGES.filter((name) => name in job.stages).map((name) => [name, job.stages[name]]);

/** Whether the server finds this text in the job. */
const has = ({ id, source, external_id, batch_id }, text) =>
  [source.filename, id, external_id, batch_id].some((one) => one?.toLowerCase().includes(text.trim().toLowerCase()));

class Jobs extends Store {
  #known = new Map();
  /** Ids of deleted ones: an answer that was under way may have them still. */
  #gone = new Set();
  /** The oldest job of the list: older ones are on its next pages. */
  #oldest = '';
  #cursor = null;
  /** Its end does not come up in the list. */
  #opened = null;
  /** Counts what was asked of the list: answers to what was asked before come too late. */
  #asked = 0;
  #typing;
  /** The list has those with this status, and with this text in a name or an id. */
  status = '';
  search = '';
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
        if (!resumed) await this.#anew();
        else if (this.problem) await this.load();
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
        if (name === 'reset') this.#anew();
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

  /** Lists those with this status, or all. */
  choose(status) {
    this.status = status;
    return this.load();
  }

  /** Lists those with this text: of those that are known at once, of all when nobody types on. */
  find(search) {
    this.search = search;
    this.#cursor = null;
    this.#ask();
    this.#typing = setTimeout(() => this.load(), TYPING);
  }

  /** Lists what is asked for, from the newest. */
  load() {
    this.#cursor = null;
    return this.#page();
  }

  loadMore() {
    return this.#page({ cursor: this.#cursor });
  }

  /** Begins with nothing known: events were missed. */
  #anew() {
    const opened = this.get(this.#opened);
    this.#known = new Map(opened && [[opened.id, opened]]);
    if (opened) this.open(opened.id).catch(({ status }) => status === 404 && this.#remove(opened.id));
    return this.load();
  }

  /** Something else is asked for from now on. */
  #ask() {
    clearTimeout(this.#typing);
    this.loading = true;
    this.changed();
    this.#asked += 1;
    return this.#asked;
  }

  async #page(query) {
    const asked = this.#ask();
    const wanted = Object.entries({ status: this.status, search: this.search.trim(), ...query });
    try {
      const page = await api.jobs([['limit', PAGE], ...wanted.filter(([, value]) => value)]);
      if (asked !== this.#asked) return;
      this.#cursor = page.next_cursor;
      this.#oldest = page.next_cursor ? page.data.at(-1).id : '';
      this.problem = null;
      for (const job of page.data) this.put(job);
    } catch (problem) {
      if (asked !== this.#asked) return;
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
    if (this.#gone.has(job.id)) return;
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
    this.#gone.add(id);
    this.#known.delete(id);
    this.changed();
  }

  #isListed(job) {
    return job.id >= this.#oldest && (!this.status || job.status === this.status) && has(job, this.search);
  }

  #tell(job) {
    if (this.own.has(job.id) || job.id === this.#opened)
      announce(t('told.ended', job.source.filename, label('status', job.status)));
  }
}

export const jobs = new Jobs();
