// The jobs that the page knows. Events from the server keep them up to date.

// biome-ignore lint/correctness/noUnresolvedImports: the server generates this module (`api/src/handlers/page.rs`).
import { STAGES } from '../contract.js';
import { api } from '../server/api.js';
import { follow } from '../server/events.js';
import { path } from '../server/paths.js';
import { Store } from '../store.js';
import { label, t } from '../text/i18n.js';
import { announce } from '../ui/announce.js';

const ENDED = ['succeeded', 'partial', 'failed', 'cancelled'];
/** Jobs per page of the list. */
const PAGE_SIZE = 50;
/** Milliseconds after the last keystroke until the server is searched. */
const SEARCH_DELAY = 250;

export { STAGES };
export const STATUSES = ['uploading', 'queued', 'running', ...ENDED];
export const hasEnded = (job) => ENDED.includes(job.status);

/** The stages that the job runs, each `[name, stage]`. */
export const stagesOf = (job) => STAGES.filter((name) => name in job.stages).map((name) => [name, job.stages[name]]);

/** True when a search for this text finds the job. The server applies the same rule. */
const matches = ({ id, source, external_id, batch_id }, text) =>
  [source.filename, id, external_id, batch_id].some((one) => one?.toLowerCase().includes(text.trim().toLowerCase()));

class Jobs extends Store {
  #known = new Map();
  /** Ids of deleted jobs. A response that was already on its way may still contain them. */
  #deleted = new Set();
  /** The id of the oldest job in the list. Older jobs are on the next pages. Empty when everything is loaded. */
  #oldest = '';
  /** The cursor of the next page; null when everything is loaded. */
  #cursor = null;
  /** The id of the job whose page is open. It may be older than the list. */
  #opened = null;
  /** The number of the latest query. Responses to earlier queries are ignored. */
  #query = 0;
  /** The timer of the search while the user types. */
  #searchTimer;
  /** Filters of the list: a status, and a text in the file name or in an id. */
  status = '';
  search = '';
  loading = true;
  problem = null;
  /** True when the page receives the server's events. */
  live = false;
  /** Ids of jobs that were uploaded from this page. A message announces their end. */
  own = new Set();

  /** Starts to follow the server's events. */
  start() {
    follow(path('/api/v1/events'), {
      opened: async (resumed) => {
        if (!resumed) await this.#reset();
        else if (this.problem) await this.load();
        this.live = true;
        this.changed();
      },
      lost: (problem) => {
        this.live = false;
        // The key may not read jobs, so no event will arrive.
        if (problem?.status === 403) Object.assign(this, { problem, loading: false });
        this.changed();
      },
      event: (name, data) => {
        if (name === 'reset') this.#reset();
        else if (name === 'deleted') this.#remove(data.id);
        // `status`, `progress`, `playable` and `updated` have the job.
        else this.put(data);
      },
    });
  }

  /** True when the server has older jobs. */
  get more() {
    return this.#cursor !== null;
  }

  /** The job with this id; undefined when the page does not know it. */
  get(id) {
    return this.#known.get(id);
  }

  /** The jobs of the list, newest first. Ids sort by time. */
  list() {
    const all = [...this.#known.values()].filter((job) => this.#isListed(job));
    return all.sort((a, b) => (a.id < b.id ? 1 : -1));
  }

  /** Lists the jobs with this status, or all jobs when it is empty. */
  choose(status) {
    this.status = status;
    return this.load();
  }

  /** Lists the jobs that match the text: known jobs at once, and the server's jobs when the user stops typing. */
  find(search) {
    this.search = search;
    this.#cursor = null;
    this.#beginQuery();
    this.#searchTimer = setTimeout(() => this.load(), SEARCH_DELAY);
  }

  /** Loads the first page of the list. */
  load() {
    this.#cursor = null;
    return this.#page();
  }

  /** Loads the next page of the list. */
  loadMore() {
    return this.#page({ cursor: this.#cursor });
  }

  /** Loads the list and the open job again, because events were missed. */
  #reset() {
    const opened = this.get(this.#opened);
    this.#known = new Map(opened && [[opened.id, opened]]);
    if (opened) this.open(opened.id).catch(({ status }) => status === 404 && this.#remove(opened.id));
    return this.load();
  }

  /** Starts a query of the list, and returns its number. */
  #beginQuery() {
    clearTimeout(this.#searchTimer);
    this.loading = true;
    this.changed();
    this.#query += 1;
    return this.#query;
  }

  async #page(parameters) {
    const query = this.#beginQuery();
    const wanted = Object.entries({ status: this.status, search: this.search.trim(), ...parameters });
    try {
      const page = await api.jobs([['limit', PAGE_SIZE], ...wanted.filter(([, value]) => value)]);
      if (query !== this.#query) return;
      this.#cursor = page.next_cursor;
      this.#oldest = page.next_cursor ? page.data.at(-1).id : '';
      this.problem = null;
      for (const job of page.data) this.put(job);
    } catch (problem) {
      if (query !== this.#query) return;
      this.problem = problem;
    }
    this.loading = false;
    this.changed();
  }

  /** Loads a job for its page. The job may be older than the list. */
  async open(id) {
    this.#opened = id;
    this.put(await api.job(id));
  }

  /** Stores the current state of a job, unless the page knows a later state. */
  put(job) {
    if (this.#deleted.has(job.id)) return;
    const before = this.#known.get(job.id);
    if (before && Date.parse(before.updated_at) > Date.parse(job.updated_at)) return;
    if (before && !hasEnded(before) && hasEnded(job)) this.#announceEnd(job);
    this.#known.set(job.id, job);
    if (hasEnded(job) && job.id < this.#oldest && job.id !== this.#opened) this.#known.delete(job.id);
    this.changed();
  }

  /** Deletes a job at the server and in the list. */
  async delete(id) {
    await api.delete(id);
    this.#remove(id);
  }

  #remove(id) {
    this.#deleted.add(id);
    this.#known.delete(id);
    this.changed();
  }

  #isListed(job) {
    return job.id >= this.#oldest && (!this.status || job.status === this.status) && matches(job, this.search);
  }

  #announceEnd(job) {
    if (this.own.has(job.id) || job.id === this.#opened)
      announce(t('message.ended', job.source.filename, label('status', job.status)));
  }
}

export const jobs = new Jobs();
