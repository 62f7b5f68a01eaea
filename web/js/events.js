// Server-sent events by `fetch`: an `EventSource` can send no key. WHATWG HTML, "Server-sent events".

import { request } from './api.js';

/** The server sends something every 15 s; after this long the connection is dead. Milliseconds. */
const SILENCE = 60_000;
const LONGEST_PAUSE = 30_000;

/**
 * Follows a stream for ever, and resumes it where it broke.
 *
 * `opened(resumed)` is called at each connection, `event(name, data)` at each event, `lost(problem)` at each break.
 */
export async function follow(path, { opened, event, lost }) {
  let lastId = null;
  for (let failures = 0; ; failures += 1) {
    const abort = new AbortController();
    let alarm;
    let problem = null;
    const heard = () => {
      clearTimeout(alarm);
      alarm = setTimeout(() => abort.abort(), SILENCE);
    };
    try {
      const resume = lastId === null ? {} : { 'last-event-id': lastId };
      const response = await request(path, { headers: resume, signal: abort.signal });
      heard();
      await opened(lastId !== null);
      failures = 0;
      for await (const message of messages(response.body, heard)) {
        lastId = message.id ?? lastId;
        if (message.data) event(message.event, JSON.parse(message.data));
      }
    } catch (error) {
      problem = error;
      // An id that the server does not know: from now on, then.
      if (problem.status === 400) lastId = null;
    }
    clearTimeout(alarm);
    lost(problem);
    const pause = Math.min(1000 * 2 ** failures, LONGEST_PAUSE);
    await new Promise((resume) => setTimeout(resume, pause * (0.5 + Math.random() / 2)));
  }
}

/** The messages of a stream, each `{id, event, data}`. `heard` is called at every piece. */
async function* messages(body, heard) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  let message = {};
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    heard();
    const lines = (rest + value).split(/\r\n|\n|\r/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === '') {
        yield message;
        message = {};
        continue;
      }
      const [, field, text] = /^([^:]*):? ?(.*)$/.exec(line);
      if (field === 'data') message.data = message.data === undefined ? text : `${message.data}\n${text}`;
      else if (field) message[field] = text;
    }
  }
}
