// The API key: asked for once, kept for as long as the tab is open.

import { Store } from './dom.js';

const ITEM = 'vidp-key';

class Key extends Store {
  #key = sessionStorage.getItem(ITEM);
  #answer = null;
  /** Somebody is to enter a key. */
  asked = false;
  /** The key before was refused. */
  refused = false;

  /** Whether the server wants one. */
  get needed() {
    return this.#key !== null;
  }

  /** Header fields of a request. */
  headers() {
    return this.#key ? { authorization: `Bearer ${this.#key}` } : {};
  }

  /** Resolves once there is another key than the one that `headers` had. */
  ask(headers) {
    if (headers.authorization !== this.headers().authorization) return Promise.resolve();
    this.refused = headers.authorization !== undefined;
    this.asked = true;
    this.changed();
    this.#answer ??= Promise.withResolvers();
    return this.#answer.promise;
  }

  /** Begins anew, without a key. */
  forget() {
    sessionStorage.removeItem(ITEM);
    location.reload();
  }

  enter(key) {
    this.#key = key;
    sessionStorage.setItem(ITEM, key);
    this.asked = false;
    this.#answer?.resolve();
    this.#answer = null;
    this.changed();
  }
}

export const key = new Key();
