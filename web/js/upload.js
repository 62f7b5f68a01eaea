// Sends videos: two at a time, resumable (tus 1.0).

import { announce } from './announce.js';
import { Problem } from './api.js';
import { Store } from './dom.js';
import { t } from './i18n.js';
import { jobs } from './jobs.js';
import { key } from './key.js';

const AT_ONCE = 2;
const ENDPOINT = '/files';
/** Pauses between tries, until somebody has to press "resume". Milliseconds. */
const RETRIES = [500, 2000, 5000, 10_000, 20_000];
/** Weight of the latest measurement of the speed. */
const SMOOTHING = 0.2;

let count = 0;

/** Whether the same may go well later: no answer, a fault of the server, another request at the upload, too many. */
const isPassing = (status) => !status || status >= 500 || [409, 423, 429].includes(status);

class Upload {
  id = count++;
  /** `waiting`, `sending`, `paused`, `failed`, `cancelled` or `done`. */
  state = 'waiting';
  sent = 0;
  /** Bytes a second. */
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

  /** Where the server takes it; null before it has begun. */
  get url() {
    return this.#sender?.url ?? null;
  }

  async start() {
    this.state = 'sending';
    this.problem = null;
    this.#measured = null;
    this.#sender ??= this.#make();
    const sender = this.#sender;
    const before = await sender.findPreviousUploads();
    const left = before.find(({ uploadUrl }) => !uploads.all.some(({ url }) => url === uploadUrl));
    if (left && !sender.url) sender.resumeFromPreviousUpload(left);
    // It may have been paused meanwhile.
    if (this.state === 'sending') sender.start();
  }

  pause() {
    this.state = 'paused';
    this.#sender?.abort();
  }

  /** Gives it up, here and at the server. */
  cancel() {
    this.state = 'cancelled';
    // When the server cannot be told, it gives it up by itself.
    this.#sender?.abort(true).catch(() => {});
  }

  #make() {
    const { file, options } = this;
    return new window.tus.Upload(file, {
      endpoint: ENDPOINT,
      retryDelays: RETRIES,
      metadata: { filename: file.name, filetype: file.type, options: JSON.stringify(options) },
      // The same file again, after a reload, goes on where it broke; with other options it is another job.
      fingerprint: async () => ['vidp', file.name, file.size, file.lastModified, JSON.stringify(options)].join('-'),
      removeFingerprintOnSuccess: true,
      onShouldRetry: ({ originalResponse: answer }) => isPassing(answer?.getStatus()),
      onBeforeRequest: (asked) => {
        for (const [name, value] of Object.entries(key.headers())) asked.setHeader(name, value);
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
    const answer = error.originalResponse;
    const status = answer?.getStatus();
    if (status === 401) {
      await key.ask(key.headers());
      this.start();
      return;
    }
    this.state = 'failed';
    this.problem = status ? Problem.of(status, answer.getBody()) : new Problem({ code: 'unreachable' });
    announce(t('told.notSent', this.file.name), 'error');
    uploads.next();
  }
}

class Uploads extends Store {
  all = [];

  /** Takes files, with the `options` of their jobs. */
  add(files, options) {
    this.all.push(...[...files].map((file) => new Upload(file, structuredClone(options))));
    this.next();
  }

  /** Starts those that wait, as far as others leave room. */
  next() {
    const room = AT_ONCE - this.all.filter((one) => one.state === 'sending').length;
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

  /** The upload has become a job, which comes up in the list. */
  done(upload, jobId) {
    upload.state = 'done';
    jobs.own.add(jobId);
    announce(t('told.sent', upload.file.name));
    this.remove(upload);
  }
}

export const uploads = new Uploads();

// What failed for want of a connection goes on by itself.
addEventListener('online', () => {
  for (const upload of uploads.all) if (upload.problem?.code === 'unreachable') uploads.resume(upload);
});

addEventListener('beforeunload', (event) => {
  if (uploads.all.some((one) => one.state === 'sending')) event.preventDefault();
});
