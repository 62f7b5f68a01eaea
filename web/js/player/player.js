// The video player, with renditions, captions and a seek bar with previews.

import { output, rung, useBlob, useOutput } from '../jobs/outputs.js';
import { api } from '../server/api.js';
import { languageName } from '../text/format.js';
import { t } from '../text/i18n.js';
import { html, useEffect, useRef, useState } from '../ui/dom.js';
import { IconButton, Select } from '../ui/parts.js';
import { toVtt } from './cues.js';
import { Growing, isGrowing } from './growing.js';
import { keys, toggleFullScreen } from './keys.js';
import { usePlayback, usePlaying } from './playback.js';
import { Scrubber } from './scrubber.js';
import { useSource } from './source.js';
import { hasStream, useStream } from './stream.js';
import { Tracks } from './tracks.js';

/** The file of the captions and its language: the captions that were made, or the first subtitles of the source. */
function captionsOf(job) {
  const made = output(job, 'subtitle', 'subtitles.vtt') ?? output(job, 'subtitle', 'subtitles.srt');
  const { translated, language } = job.stages.subtitle?.result ?? {};
  if (made) return { file: made, written: translated ? 'en' : language?.code };
  const track = job.stages.scale.result?.captions?.find((one) => !one.forced);
  return track ? { file: output(job, 'scale', track.name), written: track.language } : {};
}

/** Captions as a URL for `<track>`; null without a file. */
function useCaptions(file) {
  return useBlob(file, async (one) => {
    const text = await api.text(one);
    return new Blob([one.name.endsWith('.vtt') ? text : toVtt(text)], { type: 'text/vtt' });
  });
}

/** The choice of the rendition by the player, from a stream. */
const AUTO = 'auto';

/** The URL of a job's stream. */
const streamOf = async (id) => (await api.playback(id)).hls;

const isPlaying = (playback) => playback.playing;

const shapeOf = ({ width, height }) => (width ? `${width} / ${height}` : '16 / 9');

/** The shape of the picture for CSS: from the first rendition, or from the video itself while no rendition is complete. */
function useShape(job, playback) {
  const seen = usePlayback(playback, shapeOf);
  const first = job.stages.scale.result?.renditions[0];
  return first ? shapeOf(first) : seen;
}

export function Player({ job, playback }) {
  const complete = job.stages.scale.result?.renditions ?? [];
  const renditions = complete.map(({ name }) => output(job, 'scale', name));
  const streamed = hasStream(job);
  const [chosen, choose] = useState(streamed ? AUTO : renditions[0].name);
  const [shown, show] = useState(true);
  const [failed, setFailed] = useState(false);
  const video = useRef();
  const isAuto = streamed && chosen === AUTO;
  const file = isAuto ? null : (renditions.find((one) => one.name === chosen) ?? renditions[0]);
  const { file: text, written } = captionsOf(job);
  const captions = useCaptions(text);
  const poster = useOutput(output(job, 'scale', 'poster.jpg'), (one) => api.address(one));
  const toggle = usePlayback(playback, isPlaying) ? 'pause' : 'play';
  useEffect(() => playback.attach(video.current), []);
  const playing = usePlaying(video);
  useSource(video, file, playing, setFailed);
  const sound = useStream(video, isAuto ? job.id : null, {
    address: streamOf,
    captions: false,
    seconds: complete[0]?.duration,
    playing,
    failed: setFailed,
  });
  useEffect(() => {
    // Safari plays HLS without hls.js and adds the tracks of the stream to the element. They stay as they are.
    const own = video.current.querySelector('track')?.track;
    if (own) own.mode = shown ? 'showing' : 'hidden';
  }, [shown, captions]);
  const auto = streamed ? [[AUTO, t('player.auto')]] : [];
  const shape = useShape(job, playback);
  const byKey = (event) => {
    if (event.target.closest('button, select') && event.key === ' ') return;
    if (event.target.closest('select') || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = keys({ playback, video: video.current, captions: () => show(!shown) })[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  };
  return html`<section class="player" aria-label=${t('player.title')} onKeyDown=${byKey}>
    <div class="screen" style=${{ aspectRatio: shape }}>
      <video ref=${video} poster=${poster ?? undefined} preload="metadata" playsinline
        onClick=${() => playback.toggle()}>
        ${
          captions &&
          html`<track kind="captions" src=${captions} srclang=${written}
          label=${languageName(written)} default />`
        }
      </video>
      ${failed && html`<p class="screen-failed" role="alert">${t('player.failed')}</p>`}
    </div>
    <div class="controls">
      ${isGrowing(job) && html`<${Growing} playback=${playback} />`}
      <${IconButton} icon=${toggle} label=${t(`player.${toggle}`)} onClick=${() => playback.toggle()} />
      <${Scrubber} job=${job} playback=${playback} />
      <${Sound} playback=${playback} video=${video} />
      ${
        captions &&
        html`<${IconButton} icon="captions" label=${t('player.captions')} aria-pressed=${shown}
        onClick=${() => show(!shown)} />`
      }
      <label class="rendition"><span class="hidden">${t('player.rendition')}</span>
        <${Select} title=${t('player.rendition')} value=${file?.name ?? AUTO} onChoose=${choose}
          options=${[...auto, ...renditions.map((one) => [one.name, rung(one)])]} /></label>
      <${Tracks} ...${sound} />
      <${IconButton} icon="full" label=${t('player.full')} onClick=${() => toggleFullScreen(video.current)} />
    </div>
  </section>`;
}

function Sound({ playback, video }) {
  const muted = usePlayback(playback, () => video.current?.muted ?? false);
  return html`<${IconButton} icon=${muted ? 'muted' : 'sound'} label=${t(muted ? 'player.unmute' : 'player.mute')}
    onClick=${() => (video.current.muted = !muted)} />`;
}
