// The files of a job.

import { api } from './api.js';
import { html, useEffect, useMemo, useState } from './dom.js';
import { t } from './i18n.js';
import { key } from './key.js';
import { attempt, Icon } from './parts.js';

/** An output of a stage by its name, once it is there. */
export const output = (job, stage, name) => job.stages[stage]?.outputs.find((one) => one.name === name);

/** `480p` of `480p.mp4`. */
export const rung = ({ name }) => name.replace(/\.\w+$/, '');

/** `holiday-480p.mp4` of `holiday.mov`. */
const fileName = (job, { name }) => `${job.source.filename.replace(/\.[^.]*$/, '')}-${name}`;

/** What `load` makes of an output; null until then, and when it cannot be had. */
export function useOutput(one, load) {
  const [loaded, set] = useState(null);
  useEffect(() => {
    let left = false;
    set(null);
    if (one)
      load(one).then(
        (value) => left || set(value),
        () => {},
      );
    return () => {
      left = true;
    };
  }, [one?.sha256]);
  return loaded;
}

/** An address of the blob that `load` makes of an output, for as long as it is needed: a link would expire. */
export function useBlob(one, load) {
  const blob = useOutput(one, load);
  const address = useMemo(() => blob && URL.createObjectURL(blob), [blob]);
  useEffect(() => () => URL.revokeObjectURL(address), [address]);
  return address;
}

/** Saves an output. With a key by a link of the object store, as a link of a page sends no header. */
export function Download({ job, file }) {
  const name = fileName(job, file);
  const byLink = (event) => {
    event.preventDefault();
    attempt(async () => location.assign(await api.address(file)));
  };
  return html`<a class="button quiet small" href=${file.url} download=${name} onClick=${key.needed ? byLink : undefined}
    aria-label=${t('download.of', file.name)}><${Icon} name="download" />${t('download')}</a>`;
}
