// Requests to the API. `docs/api.md` describes it.

import { key } from './key.js';
import { path } from './paths.js';

const BASE = path('/api/v1');

/** An error response (RFC 9457). Without a response, the code is `unreachable`. */
export class Problem extends Error {
  constructor({ code, detail, request_id }, status = 0) {
    super(detail ?? code);
    this.code = code;
    this.detail = detail;
    this.requestId = request_id;
    this.status = status;
  }

  /** Reads a problem from the status and the text of a response. */
  static of(status, text) {
    try {
      return new Problem(JSON.parse(text), status);
    } catch {
      return new Problem({ code: status >= 500 ? 'unavailable' : 'internal', detail: `HTTP ${status}` }, status);
    }
  }
}

/** Sends a request with the API key. On 401 it opens the key dialog, then sends the request again. */
export async function request(address, init = {}) {
  for (;;) {
    const authorization = key.headers();
    let response;
    try {
      response = await fetch(address, { ...init, headers: { ...init.headers, ...authorization } });
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      throw new Problem({ code: 'unreachable' });
    }
    if (response.status === 401) {
      await key.ask(authorization);
      continue;
    }
    if (!response.ok) throw Problem.of(response.status, await response.text());
    return response;
  }
}

const json = async (route, init) => (await request(BASE + route, init)).json();
/** Sends a POST request, with a JSON body unless it is undefined. */
const post = (route, body) =>
  json(route, {
    method: 'POST',
    headers: body && { 'content-type': 'application/json' },
    body: body && JSON.stringify(body),
  });

export const api = {
  /** A page of jobs, newest first. */
  jobs: (query) => json(`/jobs?${new URLSearchParams(query)}`),
  job: (id) => json(`/jobs/${id}`),
  cancel: (id) => post(`/jobs/${id}/cancel`),
  retry: (id) => post(`/jobs/${id}/retry`),
  /** URLs of the job's stream and of its embed page, which need no key, and their end. `body` may have their lifetime in `seconds`. */
  playback: async (id, body) => {
    const { hls, embed, expires_at } = await post(`/jobs/${id}/playback`, body);
    return { hls: path(hls), embed: path(embed), expires_at };
  },
  delete: (id) => request(`${BASE}/jobs/${id}`, { method: 'DELETE' }),
  health: () => json('/processing/health'),
  languages: async () => (await json('/processing/supported-languages')).languages,
  /** The content of an output, as text. */
  text: async (output) => (await request(path(output.url))).text(),
  /** The content of an output, as a blob. */
  blob: async (output) => (await request(path(output.url))).blob(),
  /**
   * A URL of an output for elements that cannot send headers: the API's own URL, or a presigned URL of the object store
   * when the server requires a key.
   */
  async address(output) {
    if (!key.needed) return path(output.url);
    // Six hours, in seconds: enough for a long video with a break.
    return (await (await request(`${path(output.url)}/link?seconds=21600`)).json()).url;
  },
};
