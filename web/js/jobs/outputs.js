// The output files of a job.

import { api } from '../server/api.js';
import { key } from '../server/key.js';
import { path } from '../server/paths.js';
import { t } from '../text/i18n.js';
import { html, useEffect, useMemo, useState } from '../ui/dom.js';
import { attempt, Icon } from '../ui/parts.js';

/** An output of a stage by its name; undefined until it exists. */
export const output = (job, stage, name) => job.stages[stage]?.outputs.find((one) => one.name === name);

/** The rendition's name without the extension: `480p` for `480p.mp4`. */
export const rung = ({ name }) => name.replace(/\.\w+$/, '');

/** The name of a downloaded file: `holiday-480p.mp4` for the rendition `480p.mp4` of `holiday.mov`. */
const fileName = (job, { name }) => `${job.source.filename.replace(/\.[^.]*$/, '')}-${name}`;

/** The result of `load(output)`; null while it loads, and when it fails. */
export function useOutput(one, load) {
  const [loaded, set] = useState(null);
  useEffect(() => {
    let unmounted = false;
    set(null);
    if (one)
      load(one).then(
        (value) => unmounted || set(value),
        () => {},
      );
    return () => {
      unmounted = true;
    };
  }, [one?.sha256]);
  return loaded;
}

/** A URL of the blob that `load(output)` returns. It does not expire, unlike a presigned URL. */
export function useBlob(one, load) {
  const blob = useOutput(one, load);
  const address = useMemo(() => blob && URL.createObjectURL(blob), [blob]);
  useEffect(() => () => URL.revokeObjectURL(address), [address]);
  return address;
}

/** A link that downloads an output. With a key it uses a presigned URL, because links send no headers. */
export function Download({ job, file }) {
  const name = fileName(job, file);
  const byLink = (event) => {
    event.preventDefault();
    attempt(async () => location.assign(await api.address(file)));
  };
  return html`<a class="button quiet small" href=${path(file.url)} download=${name} onClick=${key.needed ? byLink : undefined}
    aria-label=${t('download.of', file.name)}><${Icon} name="download" />${t('download')}</a>`;
}
