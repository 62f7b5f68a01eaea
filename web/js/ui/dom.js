// Preact and htm for every view, and stores of shared state. htm writes Preact elements as tagged templates.

import { Component, useEffect, useState } from '../vendor/htm-preact.js';

export { html, render, useEffect, useLayoutEffect, useMemo, useRef, useState } from '../vendor/htm-preact.js';

/** State that notifies its listeners of changes. */
export class Store {
  #listeners = new Set();
  #due = false;

  /** Calls `listener` after each change. Returns a function that ends the subscription. */
  subscribe(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Notifies the listeners. Changes within 30 ms cause one call, because hundreds of jobs may report each second. */
  changed() {
    if (this.#due) return;
    this.#due = true;
    setTimeout(() => {
      this.#due = false;
      for (const listener of [...this.#listeners]) listener();
    }, 30);
  }
}

/** A view that renders again only when one of its properties changes. Used for long lists of rows. */
export const memo = (view) =>
  class extends Component {
    shouldComponentUpdate(next) {
      return Object.keys(next).some((name) => next[name] !== this.props[name]);
    }

    render(props) {
      return view(props);
    }
  };

/** Renders the component again whenever the store changes. */
export function useStore(store) {
  const [, rerender] = useState(0);
  useEffect(() => store.subscribe(() => rerender((count) => count + 1)), [store]);
  return store;
}
