// Short messages. They are shown for some seconds, and screen readers read them out.

import { Store } from '../store.js';
import { html, useStore } from './dom.js';

/** Display time of each kind of message, in milliseconds. */
const DISPLAY_TIME = { '': 6000, error: 12_000 };

class MessageStore extends Store {
  shown = [];
}

const messages = new MessageStore();

/** Shows a message. `kind` is `error` when something went wrong. */
export function announce(text, kind = '') {
  const message = { text, kind };
  messages.shown = [...messages.shown.slice(-2), message];
  messages.changed();
  setTimeout(() => {
    messages.shown = messages.shown.filter((one) => one !== message);
    messages.changed();
  }, DISPLAY_TIME[kind]);
}

export function Messages() {
  const { shown } = useStore(messages);
  return html`<div class="messages" role="status" aria-live="polite">
    ${shown.map(({ text, kind }) => html`<p key=${text} class="message ${kind}">${text}</p>`)}
  </div>`;
}
