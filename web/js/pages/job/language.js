// The spoken language: the confidence, and the language of each part of the video.

import { usePlayback } from '../../player/playback.js';
import { clock, duration, languageName, probability } from '../../text/format.js';
import { t } from '../../text/i18n.js';
import { html, useState } from '../../ui/dom.js';

/** Languages in the list before it is expanded. */
const SHOWN_AT_FIRST = 5;
/** A confidence below this is a guess: `docs/api.md`, "A job". */
const CONFIDENT = 0.8;

const isReady = (playback) => playback.ready;
const timeOf = (playback) => playback.time;

function Chances({ probabilities }) {
  const [all, showAll] = useState(false);
  const shown = all ? probabilities : probabilities.slice(0, SHOWN_AT_FIRST);
  return html`<ul class="bars ${all ? 'all' : ''}" aria-label=${t('language.chances')} tabindex=${all ? 0 : undefined}>
    ${shown.map(
      ({ code, probability: share }) => html`<li key=${code}>
      <span>${languageName(code)}</span>
      <span class="bar" aria-hidden="true"><span style=${{ width: `${share * 100}%` }}></span></span>
      <span class="number">${probability(share)}</span>
    </li>`,
    )}
  </ul>
  ${
    probabilities.length > SHOWN_AT_FIRST &&
    html`<button type="button" class="quiet small" aria-expanded=${all}
    onClick=${() => showAll(!all)}>${all ? t('language.fewer') : t('language.all', probabilities.length)}</button>`
  }`;
}

/** The result of a window, in words. */
function found({ language, probability: share, speech_seconds }) {
  if (!language) return t('language.silence');
  return `${languageName(language)} · ${probability(share)} · ${t('language.speech', duration(speech_seconds))}`;
}

/** A position in the video. It is a button when the video can be played. */
function Place({ text, start, playback }) {
  if (!usePlayback(playback, isReady)) return html`<span class="clock">${text}</span>`;
  return html`<button type="button" class="link clock" onClick=${() => playback.seek(start)}>${text}</button>`;
}

/** The windows on a time line of the video, and as a list. */
function Windows({ windows, length, order, playback }) {
  const ready = usePlayback(playback, isReady);
  const time = usePlayback(playback, timeOf);
  const share = (seconds) => `${(seconds / length) * 100}%`;
  const hue = ({ language }) => (language ? `tone-${Math.min(order.indexOf(language), 4)}` : 'silent');
  const span = ({ start, duration: lasts }) => `${clock(start)} – ${clock(start + lasts)}`;
  return html`<h3 id="windows-title">${t('language.windows')}</h3>
    <div class="strip" aria-hidden="true">
      ${windows.map(
        (one) => html`<span key=${one.start} class=${hue(one)} title="${span(one)}: ${found(one)}"
        style=${{ left: share(one.start), width: share(one.duration) }}
        onClick=${ready && (() => playback.seek(one.start))}></span>`,
      )}
      ${ready && html`<i style=${{ left: share(time) }}></i>`}
    </div>
    <p class="axis clock" aria-hidden="true"><span>${clock(0)}</span><span>${clock(length)}</span></p>
    <ol class="windows" aria-labelledby="windows-title" tabindex="0">
      ${windows.map(
        (one) => html`<li key=${one.start}>
        <span class="swatch ${hue(one)}" aria-hidden="true"></span>
        <${Place} text=${span(one)} start=${one.start} playback=${playback} />
        <span>${found(one)}</span>
      </li>`,
      )}
    </ol>`;
}

export function Language({ job, playback }) {
  const { language, confidence, probabilities, windows } = job.stages.detect.result;
  const length = job.source.media?.duration ?? windows.reduce((end, one) => Math.max(end, one.start + one.duration), 0);
  // Each language has one colour everywhere. The video's main language has the first colour.
  const order = [...new Set([language.code, ...windows.map((one) => one.language)])].filter(Boolean);
  return html`<section class="card language-result" aria-labelledby="language-title">
    <h2 id="language-title">${t('stage.detect')}</h2>
    <p class="answer"><b>${languageName(language.code, language.name)}</b> ${probability(confidence)}</p>
    ${confidence < CONFIDENT && html`<p class="guess">${t('language.guess')}</p>`}
    <${Chances} probabilities=${probabilities} />
    <${Windows} windows=${windows} length=${length} order=${order} playback=${playback} />
  </section>`;
}
