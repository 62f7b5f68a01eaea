// The embed page: a player for the stream whose grant is in the address, `/embed/<grant>`.

import { usePlaying } from './player/playback.js';
import { useStream } from './player/stream.js';
import { Tracks } from './player/tracks.js';
import { t } from './text/i18n.js';
import { html, render, useRef, useState } from './ui/dom.js';

const GRANT = location.pathname.split('/').at(-1);

/** The URL of the stream, relative to this page: a proxy may publish both below another path. */
const streamOf = async (grant) => new URL(`../api/v1/play/${grant}/master.m3u8`, document.baseURI).href;

function Embed() {
  const [failed, setFailed] = useState(false);
  const video = useRef();
  const playing = usePlaying(video);
  const sound = useStream(video, GRANT, { address: streamOf, captions: true, playing, failed: setFailed });
  return html`<video ref=${video} controls playsinline preload="metadata" aria-label=${t('player.title')}></video>
    <${Tracks} ...${sound} />
    ${failed && html`<p class="embed-failed" role="alert">${t('embed.failed')}</p>`}`;
}

render(html`<${Embed} />`, document.body);
