// Server-sent events over `fetch`, because `EventSource` cannot send an API key.
// Source of the format: WHATWG HTML, "Server-sent events".

import { request } from './api.js';

/** Milliseconds without data until the connection counts as dead. The server sends something every 15 s. */
const SILENCE_LIMIT = 60_000;
/** The longest pause between two connections, in milliseconds. */
const LONGEST_PAUSE = 30_000;

/**
 * Follows a stream without end, and resumes it after the last event when the connection breaks.
 *
 * It calls `opened(resumed)` at each connection, `event(name, data)` at each event, `lost(problem)` at each break.
 */
export async function follow(path, { opened, event, lost }) {
  let lastId = null;
  for (let failures = 0; ; failures += 1) {
    const abort = new AbortController();
    let alarm;
    let problem = null;
    const received = () => {
      clearTimeout(alarm);
      alarm = setTimeout(() => abort.abort(), SILENCE_LIMIT);
    };
    try {
      const resume = lastId === null ? {} : { 'last-event-id': lastId };
      const response = await request(path, { headers: resume, signal: abort.signal });
      received();
      await opened(lastId !== null);
      failures = 0;
      for await (const message of messages(response.body, received)) {
        lastId = message.id ?? lastId;
        if (message.data) event(message.event, JSON.parse(message.data));
      }
    } catch (error) {
      problem = error;
      // The server does not know the id: follow the stream from now on.
      if (problem.status === 400) lastId = null;
    }
    clearTimeout(alarm);
    lost(problem);
    const pause = Math.min(1000 * 2 ** failures, LONGEST_PAUSE);
    await new Promise((resume) => setTimeout(resume, pause * (0.5 + Math.random() / 2)));
  }
}

/** The messages of a stream, each `{id, event, data}`. It calls `received` at every chunk of data. */
async function* messages(body, received) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  let message = {};
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    received();
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
