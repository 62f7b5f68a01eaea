// The API key. The page requests it once; the tab stores it until it is closed.

import { Store } from '../store.js';

const ITEM = 'vidp-key';

class Key extends Store {
  #key = sessionStorage.getItem(ITEM);
  #answer = null;
  /** True when the dialog requests a key. */
  asked = false;
  /** True when the server refused the previous key. */
  refused = false;

  /** True when the server requires a key. */
  get needed() {
    return this.#key !== null;
  }

  /** The authorization header of a request; empty without a key. */
  headers() {
    return this.#key ? { authorization: `Bearer ${this.#key}` } : {};
  }

  /** Requests a new key. The promise resolves when the key differs from the one in `headers`. */
  ask(headers) {
    if (headers.authorization !== this.headers().authorization) return Promise.resolve();
    this.refused = headers.authorization !== undefined;
    this.asked = true;
    this.changed();
    this.#answer ??= Promise.withResolvers();
    return this.#answer.promise;
  }

  /** Deletes the key and reloads the page. */
  forget() {
    sessionStorage.removeItem(ITEM);
    location.reload();
  }

  /** Stores the key that the user entered. */
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
