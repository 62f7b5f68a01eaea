// What every view is made with. Preact draws, htm is its notation.

import { Component, useEffect, useState } from '../vendor/htm-preact.js';

export { html, render, useEffect, useLayoutEffect, useMemo, useRef, useState } from '../vendor/htm-preact.js';

/** Something that changes and tells who listens. */
export class Store {
  #listeners = new Set();
  #due = false;

  /** Calls `listener` after each change; returns what ends that. */
  subscribe(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tells of a change. Changes in quick succession are told once: hundreds of jobs may report each second. */
  changed() {
    if (this.#due) return;
    this.#due = true;
    setTimeout(() => {
      this.#due = false;
      for (const listener of [...this.#listeners]) listener();
    }, 30);
  }
}

/** A view that is drawn again only when one of its properties is another: for rows of which there are many. */
export const memo = (view) =>
  class extends Component {
    shouldComponentUpdate(next) {
      return Object.keys(next).some((name) => next[name] !== this.props[name]);
    }

    render(props) {
      return view(props);
    }
  };

/** Draws the component again whenever the store changes. */
export function useStore(store) {
  const [, draw] = useState(0);
  useEffect(() => store.subscribe(() => draw((count) => count + 1)), [store]);
  return store;
}
