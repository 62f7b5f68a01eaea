// Actions on a job: cancel, retry, delete.

import { api } from '../server/api.js';
import { t } from '../text/i18n.js';
import { announce } from '../ui/announce.js';
import { confirm } from '../ui/dialogs.js';
import { html } from '../ui/dom.js';
import { attempt, Icon, IconButton } from '../ui/parts.js';
import { hasEnded, jobs } from './known.js';

/** Statuses of a stage that a retry runs again. */
const RETRYABLE = ['failed', 'cancelled'];

/** The actions that the job's state allows, each `{name, icon, act}`. `deleted` is called after a deletion. */
function actions(job, deleted) {
  const { filename } = job.source;
  const canRetry = Object.values(job.stages).some((stage) => RETRYABLE.includes(stage.status));
  const change = (action) => () => attempt(async () => jobs.put(await action(job.id)));
  const remove = async () => {
    const confirmed = await confirm(t('delete.title'), t('delete.text', filename), t('action.delete'));
    if (!confirmed) return;
    await attempt(async () => {
      await jobs.delete(job.id);
      announce(t('message.deleted', filename));
      deleted?.();
    });
  };
  return [
    !hasEnded(job) && { name: 'cancel', icon: 'close', act: change(api.cancel) },
    hasEnded(job) && canRetry && { name: 'retry', icon: 'retry', act: change(api.retry) },
    hasEnded(job) && { name: 'delete', icon: 'delete', act: remove },
  ].filter(Boolean);
}

/** The actions as icons, for the list. */
export const JobActions = ({ job }) => html`<div class="actions">
  ${actions(job).map(
    ({ name, icon, act }) => html`<${IconButton} key=${name} icon=${icon}
    label=${t('action.of', t(`action.${name}`), job.source.filename)} onClick=${act} />`,
  )}
</div>`;

/** The actions as labelled buttons, for the job's page. Its own buttons are before them. */
export const JobButtons = ({ job, deleted, children }) => html`<div class="actions">
  ${children}
  ${actions(job, deleted).map(
    ({ name, icon, act }) => html`<button type="button" key=${name}
    class="quiet ${name === 'delete' ? 'danger' : ''}" onClick=${act}>
    <${Icon} name=${icon} />${t(`action.${name}`)}
  </button>`,
  )}
</div>`;
