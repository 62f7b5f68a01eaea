// Uploads of videos: two at a time, resumable (tus 1.0).

import { jobs } from '../jobs/known.js';
import { Problem } from '../server/api.js';
import { key } from '../server/key.js';
import { path } from '../server/paths.js';
import { Store } from '../store.js';
import { t } from '../text/i18n.js';
import { announce } from '../ui/announce.js';

/** Uploads that run at the same time. */
const PARALLEL_UPLOADS = 2;
const ENDPOINT = path('/api/v1/files');
/** Pauses between retries, in milliseconds. After the last one, the user must press "resume". */
const RETRY_DELAYS = [500, 2000, 5000, 10_000, 20_000];
/** Weight of the latest sample in the average speed (exponential smoothing). */
const SMOOTHING = 0.2;

let count = 0;

/** True when a retry may succeed: no response, a server error, a concurrent request (409, 423) or a rate limit (429). */
const isTransient = (status) => !status || status >= 500 || [409, 423, 429].includes(status);

class Upload {
  id = count++;
  /** `waiting`, `sending`, `paused`, `failed`, `cancelled` or `done`. */
  state = 'waiting';
  sent = 0;
  /** Bytes per second. */
  speed = 0;
  problem = null;
  #sender = null;
  #measured = null;

  constructor(file, options) {
    this.file = file;
    this.options = options;
  }

  get secondsLeft() {
    return this.speed ? (this.file.size - this.sent) / this.speed : null;
  }

  /** The URL of the upload session; null before it exists. */
  get url() {
    return this.#sender?.url ?? null;
  }

  async start() {
    this.state = 'sending';
    this.problem = null;
    this.#measured = null;
    this.#sender ??= this.#make();
    const sender = this.#sender;
    const earlier = await sender.findPreviousUploads();
    const unfinished = earlier.find(({ uploadUrl }) => !uploads.all.some(({ url }) => url === uploadUrl));
    if (unfinished && !sender.url) sender.resumeFromPreviousUpload(unfinished);
    // The user may have paused it in the meantime.
    if (this.state === 'sending') sender.start();
  }

  pause() {
    this.state = 'paused';
    this.#sender?.abort();
  }

  /** Ends the upload, and deletes its session at the server. */
  cancel() {
    this.state = 'cancelled';
    // When this request fails, the server deletes the session itself when it expires.
    this.#sender?.abort(true).catch(() => {});
  }

  #make() {
    const { file, options } = this;
    return new window.tus.Upload(file, {
      endpoint: ENDPOINT,
      retryDelays: RETRY_DELAYS,
      metadata: { filename: file.name, filetype: file.type, options: JSON.stringify(options) },
      // The same file resumes after a reload of the page. With other options it is another job.
      fingerprint: async () => ['vidp', file.name, file.size, file.lastModified, JSON.stringify(options)].join('-'),
      removeFingerprintOnSuccess: true,
      onShouldRetry: ({ originalResponse: response }) => isTransient(response?.getStatus()),
      onBeforeRequest: (request) => {
        for (const [name, value] of Object.entries(key.headers())) request.setHeader(name, value);
      },
      onProgress: (sent) => this.#progress(sent),
      onError: (error) => this.#failed(error),
      onSuccess: () => uploads.done(this, this.url.split('/').at(-1)),
    });
  }

  #progress(sent) {
    const now = performance.now();
    if (this.#measured && now - this.#measured.at < 250) return;
    if (this.#measured) {
      const speed = ((sent - this.#measured.sent) / (now - this.#measured.at)) * 1000;
      this.speed = this.speed ? this.speed + SMOOTHING * (speed - this.speed) : speed;
    }
    this.#measured = { at: now, sent };
    this.sent = sent;
    uploads.changed();
  }

  async #failed(error) {
    const response = error.originalResponse;
    const status = response?.getStatus();
    if (status === 401) {
      await key.ask(key.headers());
      this.start();
      return;
    }
    this.state = 'failed';
    this.problem = status ? Problem.of(status, response.getBody()) : new Problem({ code: 'unreachable' });
    announce(t('message.notSent', this.file.name), 'error');
    uploads.next();
  }
}

class Uploads extends Store {
  all = [];

  /** Adds files, with the `options` of their jobs. */
  add(files, options) {
    this.all.push(...[...files].map((file) => new Upload(file, structuredClone(options))));
    this.next();
  }

  /** Starts waiting uploads, up to the limit of parallel uploads. */
  next() {
    const room = PARALLEL_UPLOADS - this.all.filter((one) => one.state === 'sending').length;
    const waiting = this.all.filter((one) => one.state === 'waiting');
    for (const one of waiting.slice(0, Math.max(0, room))) one.start();
    this.changed();
  }

  pause(upload) {
    upload.pause();
    this.next();
  }

  resume(upload) {
    upload.state = 'waiting';
    this.next();
  }

  cancel(upload) {
    upload.cancel();
    this.remove(upload);
  }

  remove(upload) {
    this.all = this.all.filter((one) => one !== upload);
    this.next();
  }

  /** Removes an upload that has become a job. The job appears in the list. */
  done(upload, jobId) {
    upload.state = 'done';
    jobs.own.add(jobId);
    announce(t('message.sent', upload.file.name));
    this.remove(upload);
  }
}

export const uploads = new Uploads();

// Uploads that failed without a connection resume when the browser is online again.
addEventListener('online', () => {
  for (const upload of uploads.all) if (upload.problem?.code === 'unreachable') uploads.resume(upload);
});

addEventListener('beforeunload', (event) => {
  if (uploads.all.some((one) => one.state === 'sending')) event.preventDefault();
});
