// Shared state. Stores know nothing about the views that show them.

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
