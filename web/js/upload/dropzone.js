// The drop area for videos. Files can be dropped anywhere on the page, or chosen with a button.

import { choice, Options } from '../jobs/options.js';
import { t } from '../text/i18n.js';
import { html, useEffect, useRef, useState } from '../ui/dom.js';
import { Icon } from '../ui/parts.js';
import { uploads } from './queue.js';

const hasFiles = (event) => event.dataTransfer?.types.includes('Files');

/** Uploads files that are dropped on the page and opens the list. Returns whether files are dragged over the page. */
export function useDrop() {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const dragOver = (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const leave = (event) => event.relatedTarget === null && setOver(false);
    const drop = (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(false);
      location.hash = '#/';
      uploads.add(event.dataTransfer.files, choice.options());
    };
    const listeners = { dragenter: dragOver, dragover: dragOver, dragleave: leave, drop };
    for (const [name, listener] of Object.entries(listeners)) addEventListener(name, listener);
    return () => {
      for (const [name, listener] of Object.entries(listeners)) removeEventListener(name, listener);
    };
  }, []);
  return over;
}

export function Dropzone() {
  const input = useRef();
  const chosen = (event) => {
    uploads.add(event.target.files, choice.options());
    event.target.value = '';
  };
  return html`<div class="dropzone">
    <div class="dropzone-ask">
      <${Icon} name="upload" />
      <p><b>${t('upload.drop')}</b><span class="fine">${t('upload.hint')}</span></p>
      <button type="button" class="primary" onClick=${() => input.current.click()}>${t('upload.choose')}</button>
      <input ref=${input} class="hidden" type="file" multiple accept="video/*,audio/*,.mkv,.ts,.mxf"
        aria-label=${t('upload.choose')} tabindex="-1" onChange=${chosen} />
    </div>
    <${Options} />
  </div>`;
}
