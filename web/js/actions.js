// What can be done with a job: cancel, retry, delete.

import { announce } from './announce.js';
import { api } from './api.js';
import { confirm } from './dialogs.js';
import { html } from './dom.js';
import { t } from './i18n.js';
import { hasEnded, jobs } from './jobs.js';
import { attempt, Icon, IconButton } from './parts.js';

const RETRIED = ['failed', 'cancelled'];

/** The actions that the job's state allows, each `{name, act}`. */
function actions(job, deleted) {
  const { filename } = job.source;
  const again = Object.values(job.stages).some((stage) => RETRIED.includes(stage.status));
  const change = (action) => () => attempt(async () => jobs.put(await action(job.id)));
  const remove = async () => {
    const sure = await confirm(t('delete.title'), t('delete.text', filename), t('action.delete'));
    if (!sure) return;
    await attempt(async () => {
      await jobs.delete(job.id);
      announce(t('told.deleted', filename));
      deleted?.();
    });
  };
  return [
    !hasEnded(job) && { name: 'cancel', icon: 'close', act: change(api.cancel) },
    hasEnded(job) && again && { name: 'retry', icon: 'retry', act: change(api.retry) },
    hasEnded(job) && { name: 'delete', icon: 'delete', act: remove },
  ].filter(Boolean);
}

/** In the list: pictures. */
export const JobActions = ({ job }) => html`<div class="actions">
  ${actions(job).map(
    ({ name, icon, act }) => html`<${IconButton} key=${name} icon=${icon}
    label=${t('action.of', t(`action.${name}`), job.source.filename)} onClick=${act} />`,
  )}
</div>`;

/** On the job's page: words. */
export const JobButtons = ({ job, deleted }) => html`<div class="actions">
  ${actions(job, deleted).map(
    ({ name, icon, act }) => html`<button type="button" key=${name}
    class="quiet ${name === 'delete' ? 'danger' : ''}" onClick=${act}>
    <${Icon} name=${icon} />${t(`action.${name}`)}
  </button>`,
  )}
</div>`;
