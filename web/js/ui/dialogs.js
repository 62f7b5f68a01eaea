// Dialogs: the confirmation of a deletion, and the API key.

import { key } from '../server/key.js';
import { Store } from '../store.js';
import { t } from '../text/i18n.js';
import { html, useEffect, useRef, useStore } from './dom.js';

class Question extends Store {
  asked = null;
  /** Counts the questions. Each number is the key of a new dialog. */
  count = 0;
}

const question = new Question();

/** Asks for confirmation. The promise resolves to `true` when the user confirms. */
export function confirm(title, text, yes) {
  return new Promise((answer) => {
    question.count += 1;
    question.asked = { number: question.count, title, text, yes, answer };
    question.changed();
  });
}

/** A modal dialog. It opens when it is mounted; the focus returns to the previous element when it is removed. */
function Dialog({ title, children, ...rest }) {
  const dialog = useRef();
  useEffect(() => {
    const before = document.activeElement;
    const element = dialog.current;
    element.showModal();
    return () => {
      // The page below a modal dialog takes no focus.
      element.close();
      before?.focus();
    };
  }, []);
  return html`<dialog ref=${dialog} aria-labelledby="dialog-title" ...${rest}>
    <h2 id="dialog-title">${title}</h2>
    ${children}
  </dialog>`;
}

export function Confirmation() {
  const { asked } = useStore(question);
  if (!asked) return null;
  // The browser reports a closed dialog later. The next question may have been asked by then, and it must stay.
  const close = (yes) => {
    if (question.asked === asked) question.asked = null;
    question.changed();
    asked.answer(yes);
  };
  return html`<${Dialog} key=${asked.number} title=${asked.title} onClose=${() => close(false)}>
    <p>${asked.text}</p>
    <div class="dialog-buttons">
      <button type="button" autofocus onClick=${() => close(false)}>${t('keep')}</button>
      <button type="button" class="danger" onClick=${() => close(true)}>${asked.yes}</button>
    </div>
  <//>`;
}

export function KeyDialog() {
  const { asked, refused } = useStore(key);
  const field = useRef();
  if (!asked) return null;
  const enter = (event) => {
    event.preventDefault();
    const text = field.current.value.trim();
    if (text) key.enter(text);
  };
  // The dialog cannot be closed without a key, because the page can show nothing without one.
  const stay = (event) => event.preventDefault();
  const reopen = ({ target }) => target.isConnected && target.showModal();
  return html`<${Dialog} title=${t('key.title')} onCancel=${stay} onClose=${reopen}>
    <form onSubmit=${enter}>
      <p>${t('key.why')}</p>
      <label for="api-key">${t('key.label')}</label>
      <input id="api-key" ref=${field} type="password" autocomplete="off" spellcheck=${false} required autofocus
        aria-describedby="key-refused" />
      <p id="key-refused" class="refused" role="alert">${refused && t('key.refused')}</p>
      <div class="dialog-buttons"><button class="primary">${t('key.enter')}</button></div>
    </form>
  <//>`;
}
