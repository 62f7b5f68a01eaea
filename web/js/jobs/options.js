// The options of new jobs. The browser stores them for the next visit.

// biome-ignore lint/correctness/noUnresolvedImports: the server generates this module (`api/src/handlers/page.rs`).
import { CODECS, DEFAULTS, FORMATS, RENDITIONS } from '../contract.js';
import { api } from '../server/api.js';
import { Store } from '../store.js';
import { languageName, list } from '../text/format.js';
import { label, t } from '../text/i18n.js';
import { html, useEffect, useState, useStore } from '../ui/dom.js';
import { Select } from '../ui/parts.js';
import { STAGES } from './known.js';

const ITEM = 'vidp-options';
const LARGEST_FIRST = RENDITIONS.toReversed();

/** The options that this page offers, from a job's options. */
function offered({ stages, scale, subtitle }) {
  const { renditions, codec, stream } = scale;
  const { formats, language, translate } = subtitle;
  return { stages, renditions, codec, stream, formats, language, translate };
}

class Choice extends Store {
  value = { ...offered(DEFAULTS), ...JSON.parse(localStorage.getItem(ITEM) ?? '{}') };

  set(changes) {
    Object.assign(this.value, changes);
    localStorage.setItem(ITEM, JSON.stringify(this.value));
    this.changed();
  }

  /** Adds or removes a value. The last value stays, because the API refuses an empty list. */
  toggle(name, one, order) {
    const chosen = new Set(this.value[name]);
    if (!chosen.delete(one)) chosen.add(one);
    if (chosen.size) this.set({ [name]: order.filter((other) => chosen.has(other)) });
    else this.changed();
  }

  /** The choice as the `options` of a job. */
  options() {
    const { stages, renditions, codec, stream, formats, language, translate } = this.value;
    return { stages, scale: { renditions, codec, stream }, subtitle: { formats, language, translate } };
  }
}

export const choice = new Choice();

const Checks = ({ name, all, text, disabled = false }) =>
  all.map(
    (one) => html`<label class="check" key=${one}>
  <input type="checkbox" checked=${choice.value[name].includes(one)} disabled=${disabled}
    onChange=${(event) => {
      choice.toggle(name, one, all);
      event.target.checked = choice.value[name].includes(one);
    }} />${text(one)}
</label>`,
  );

/** The languages that the user can choose, each `[code, name]`, sorted by name in the page's language. */
function useLanguages() {
  const [all, set] = useState([]);
  useEffect(() => {
    api.languages().then(set, () => {});
  }, []);
  return all.map(({ code, name }) => [code, languageName(code, name)]).sort((a, b) => a[1].localeCompare(b[1]));
}

function Fields() {
  const { stages, codec, stream, language, translate } = choice.value;
  const [scales, writes] = [stages.includes('scale'), stages.includes('subtitle')];
  const languages = useLanguages();
  return html`<div class="options-fields">
    <fieldset><legend>${t('options.stages')}</legend>
      <${Checks} name="stages" all=${STAGES} text=${(one) => label('stage', one)} />
    </fieldset>
    <fieldset disabled=${!scales}><legend>${t('options.renditions')}</legend>
      <${Checks} name="renditions" all=${LARGEST_FIRST} text=${(one) => one} />
      <label class="field">${t('options.codec')}
        <${Select} value=${codec} onChoose=${(one) => choice.set({ codec: one })}
          options=${CODECS.map((one) => [one, label('codec', one)])} /></label>
      <label class="check"><input type="checkbox" checked=${stream}
        onChange=${(event) => choice.set({ stream: event.target.checked })} />${t('options.stream')}</label>
    </fieldset>
    <fieldset disabled=${!writes}><legend>${t('options.formats')}</legend>
      <${Checks} name="formats" all=${FORMATS} text=${(one) => one.toUpperCase()} />
      <label class="field">${t('options.language')}
        <${Select} value=${language} onChoose=${(one) => choice.set({ language: one })}
          options=${[['auto', t('options.auto')], ...languages]} /></label>
      <label class="check"><input type="checkbox" checked=${translate}
        onChange=${(event) => choice.set({ translate: event.target.checked })} />${t('options.translate')}</label>
    </fieldset>
  </div>`;
}

/** A job's options on one line. */
export function summary({ stages, scale, subtitle }) {
  const { language, formats, translate } = subtitle;
  return [
    stages.includes('detect') && t('stage.detect'),
    stages.includes('scale') && `${list(scale.renditions)} ${label('codec', scale.codec)}`,
    stages.includes('scale') && scale.stream && 'HLS',
    stages.includes('subtitle') && list(formats.map((one) => one.toUpperCase())),
    stages.includes('subtitle') && language !== 'auto' && languageName(language),
    stages.includes('subtitle') && translate && t('stage.translated'),
  ]
    .filter(Boolean)
    .join(' · ');
}

export function Options() {
  useStore(choice);
  const [open, setOpen] = useState(false);
  return html`<details class="options" open=${open} onToggle=${(event) => setOpen(event.target.open)}>
    <summary><b>${t('options.title')}</b> <span class="fine">${summary(choice.options())}</span></summary>
    ${open && html`<${Fields} />`}
  </details>`;
}
