// The start page: the drop area, the uploads, the system's load, and the list of jobs.

import { jobs, STAGES, STATUSES } from '../../jobs/known.js';
import { api } from '../../server/api.js';
import { label, language, t } from '../../text/i18n.js';
import { html, useEffect, useState, useStore } from '../../ui/dom.js';
import { attempt, Explained, Icon, Select } from '../../ui/parts.js';
import { Dropzone } from '../../upload/dropzone.js';
import { Uploads } from '../../upload/uploads.js';
import { Load } from './health.js';
import { Row } from './row.js';

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Opens the job with this id, or the latest job with this external id. Other matches stay in the list. */
async function open(text) {
  const [job] = ID.test(text) ? [{ id: text }] : (await api.jobs({ external_id: text, limit: 1 })).data;
  if (job) location.hash = `#/jobs/${job.id}`;
}

const Filter = () => html`<form class="filter" role="search" onSubmit=${(event) => {
  event.preventDefault();
  const text = jobs.search.trim();
  if (text) attempt(() => open(text));
}}>
  <label class="search"><span class="hidden">${t('list.search')}</span><${Icon} name="search" />
    <input type="search" placeholder=${t('list.search')} maxlength="200" value=${jobs.search}
      onInput=${(event) => jobs.find(event.target.value)} />
  </label>
  <label><span class="hidden">${t('list.status')}</span>
    <${Select} value=${jobs.status} onChoose=${(status) => jobs.choose(status)}
      options=${[['', t('list.all')], ...STATUSES.map((status) => [status, label('status', status)])]} />
  </label>
</form>`;

/** Column headings, hidden on narrow screens. Screen readers get these names from the rows instead. */
const Heads = () => html`<div class="heads" aria-hidden="true">
  <span>${t('list.status')}</span><span>${t('list.file')}</span>
  <span class="stage-bars">${STAGES.map((stage) => html`<span>${label('stage', stage)}</span>`)}</span>
  <span>${t('facts.created')}</span>
</div>`;

/** The text in place of an empty list. */
function EmptyList() {
  if (jobs.problem) return html`<div class="nothing"><${Explained} problem=${jobs.problem} /></div>`;
  const text = jobs.loading ? 'list.loading' : jobs.search.trim() || jobs.status ? 'list.nothing' : 'list.empty';
  return html`<p class="nothing">${t(text)}</p>`;
}

export function ListPage() {
  useStore(jobs);
  const [minute, tick] = useState(0);
  useEffect(() => {
    document.title = 'VidP';
    // Relative times such as "5 minutes ago" must be updated.
    const clock = setInterval(() => tick((count) => count + 1), 30_000);
    return () => clearInterval(clock);
  }, []);
  const shown = jobs.list();
  return html`<div class="list-page">
    <h1 class="hidden" tabindex="-1">VidP</h1>
    <section class="send" aria-label=${t('upload.title')}><${Dropzone} /><${Uploads} /></section>
    <section aria-labelledby="jobs-title">
      <div class="list-head"><h2 id="jobs-title">${t('list.title')}</h2><${Load} /></div>
      <${Filter} />
      <p class="hidden" role="status">
        ${jobs.search.trim() && !jobs.loading && !jobs.problem && t('list.found', shown.length)}</p>
      ${
        shown.length > 0 &&
        html`<${Heads} /><ul class="jobs">
        ${shown.map((job) => html`<${Row} key=${job.id} job=${job} stamp=${`${language()} ${minute}`} />`)}
      </ul>`
      }
      ${(shown.length === 0 || jobs.problem) && html`<${EmptyList} />`}
      ${
        jobs.more &&
        html`<button type="button" class="more" disabled=${jobs.loading}
        onClick=${() => jobs.loadMore()}>${t('list.more')}</button>`
      }
    </section>
  </div>`;
}
