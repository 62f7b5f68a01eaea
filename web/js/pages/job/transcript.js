// The transcript. It can be searched, and a click on a line moves the video there.

import { output, useOutput } from '../../jobs/outputs.js';
import { cues, indexAt } from '../../player/cues.js';
import { usePlayback } from '../../player/playback.js';
import { api } from '../../server/api.js';
import { clock } from '../../text/format.js';
import { t } from '../../text/i18n.js';
import { html, useEffect, useMemo, useRef, useState } from '../../ui/dom.js';
import { Icon } from '../../ui/parts.js';

/** Sources of the lines, the best first. The transcript has sentences, the subtitles have captions. */
const FILES = ['transcript.json', 'subtitles.vtt', 'subtitles.srt'];

const isReady = (playback) => playback.ready;

/** The lines, each `{start, end, text}`; null without a file. */
function useLines(job) {
  const file = FILES.map((name) => output(job, 'subtitle', name)).find(Boolean);
  return useOutput(file, async (one) => {
    const text = await api.text(one);
    return one.name.endsWith('.json') ? JSON.parse(text).segments : cues(text);
  });
}

/** The text, with the matches of the search marked. */
function Marked({ text, search }) {
  const at = search ? text.toLowerCase().indexOf(search) : -1;
  if (at < 0) return text;
  const end = at + search.length;
  const rest = html`<${Marked} text=${text.slice(end)} search=${search} />`;
  return html`${text.slice(0, at)}<mark>${text.slice(at, end)}</mark>${rest}`;
}

function Line({ line, current, search, playback, ready }) {
  const inside = html`<span class="clock">${clock(line.start)}</span>
    <span><${Marked} text=${line.text} search=${search} /></span>`;
  return html`<li class=${current ? 'current' : ''} aria-current=${current ? 'true' : undefined}>
    ${ready && html`<button type="button" onClick=${() => playback.seek(line.start)}>${inside}</button>`}
    ${!ready && html`<p>${inside}</p>`}
  </li>`;
}

/** Scrolls the list to the current line, without scrolling the page. */
function useFollow(list, current) {
  useEffect(() => {
    const line = list.current?.querySelector('.current');
    if (!line || list.current.matches(':hover, :focus-within')) return;
    list.current.scrollTop = line.offsetTop - (list.current.clientHeight - line.offsetHeight) / 2;
  }, [current]);
}

export function Transcript({ job, playback }) {
  const lines = useLines(job);
  const [typed, setTyped] = useState('');
  const ready = usePlayback(playback, isReady);
  const current = usePlayback(
    playback,
    useMemo(() => (state) => (lines ? indexAt(lines, state.time) : -1), [lines]),
  );
  const list = useRef();
  useFollow(list, current);
  if (!lines) return null;
  const search = typed.trim().toLowerCase();
  const all = lines.map((line, index) => ({ line, index }));
  const found = all.filter(({ line }) => line.text.toLowerCase().includes(search));
  const { translated, language } = job.stages.subtitle.result;
  return html`<section class="transcript" aria-labelledby="transcript-title">
    <div class="transcript-head">
      <h2 id="transcript-title">${t('transcript.title')}</h2>
      <label class="search"><span class="hidden">${t('transcript.search')}</span><${Icon} name="search" />
        <input type="search" placeholder=${t('transcript.search')} value=${typed}
          onInput=${(event) => setTyped(event.target.value)} /></label>
      <p class="fine" role="status">${search && t('transcript.found', found.length)}</p>
    </div>
    <ol ref=${list} class="lines" dir="auto" lang=${translated ? 'en' : language.code} tabindex="0"
      aria-labelledby="transcript-title">
      ${found.map(
        ({ line, index }) => html`<${Line} key=${index} line=${line} current=${ready && index === current}
        search=${search} playback=${playback} ready=${ready} />`,
      )}
    </ol>
  </section>`;
}
