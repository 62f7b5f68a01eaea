// Preact and htm for every view. htm writes Preact elements as tagged templates.

import { Component, useEffect, useState } from '../../vendor/htm-preact.js';

export { html, render, useEffect, useLayoutEffect, useMemo, useRef, useState } from '../../vendor/htm-preact.js';

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
