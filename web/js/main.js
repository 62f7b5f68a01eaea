// The page: the header, and the view that the address names.

import { jobs } from './jobs/known.js';
import { JobPage } from './pages/job/job.js';
import { Connection } from './pages/list/health.js';
import { ListPage } from './pages/list/list.js';
import { key } from './server/key.js';
import { choose, LANGUAGES, language, languageChoice, t } from './text/i18n.js';
import { Messages } from './ui/announce.js';
import { Confirmation, KeyDialog } from './ui/dialogs.js';
import { html, render, useEffect, useState, useStore } from './ui/dom.js';
import { Select } from './ui/parts.js';
import { useDrop } from './upload/dropzone.js';

/** The id of the job in the address, `#/jobs/<id>`; undefined for the list. */
const idInAddress = () => /^#\/jobs\/([0-9a-f-]{36})$/.exec(location.hash)?.[1];

/** The id of the job to show. It follows the address. */
function useAddress() {
  const [id, show] = useState(idInAddress);
  useEffect(() => {
    const changed = () => {
      show(idInAddress());
      scrollTo(0, 0);
      // Screen readers continue at the start of the new view. A job's page moves the focus itself once it has the job.
      requestAnimationFrame(() => document.querySelector('h1')?.focus({ preventScroll: true }));
    };
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return id;
}

function Top() {
  useStore(key);
  return html`<header class="top">
  <a class="brand" href="#/"><img src="web/favicon.svg" alt="" width="28" height="28" />VidP</a>
  <${Connection} />
  <nav aria-label=${t('nav.title')}>
    ${
      key.needed &&
      html`<button type="button" class="quiet small"
      onClick=${() => key.forget()}>${t('key.forget')}</button>`
    }
    <a href="docs">${t('nav.docs')}</a>
    <label class="language"><span class="hidden">${t('nav.language')}</span>
      <${Select} value=${language()} onChoose=${choose} options=${Object.entries(LANGUAGES)} />
    </label>
  </nav>
</header>`;
}

function Page() {
  useStore(languageChoice);
  const id = useAddress();
  const over = useDrop();
  return html`
    <a class="skip" href="#main" onClick=${(event) => {
      // The link must not change the address, because the address names the view.
      event.preventDefault();
      document.querySelector('h1')?.focus();
    }}>${t('nav.skip')}</a>
    <${Top} />
    <main id="main">${id ? html`<${JobPage} key=${id} id=${id} />` : html`<${ListPage} />`}</main>
    ${over && html`<p class="drop-here" aria-hidden="true">${t('upload.here')}</p>`}
    <${Messages} />
    <${Confirmation} />
    <${KeyDialog} />`;
}

render(html`<${Page} />`, document.body);
jobs.start();
