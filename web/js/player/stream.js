// Playback of a job's stream by HLS: the rendition follows the connection. hls.js is loaded when a stream is played.

import { api } from '../server/api.js';
import { useEffect, useState } from '../ui/dom.js';

/** True when the browser plays streams: by Media Source Extensions, or by itself. */
const canStream = () =>
  'MediaSource' in window || document.createElement('video').canPlayType('application/vnd.apple.mpegurl') !== '';

/** True when the job has a stream that this browser plays. */
export const hasStream = (job) => canStream() && job.stages.scale.outputs.some(({ name }) => name === 'stream.json');

/** Loads a stream into the element, and returns hls.js, or null when the browser plays HLS by itself. */
async function load(element, address) {
  if (!('MediaSource' in window)) {
    element.src = address;
    return null;
  }
  const { default: Hls } = await import('../../vendor/hls.min.mjs');
  // A worker of hls.js would come from a blob, which the page's policy forbids.
  const player = new Hls({ enableWorker: false, startPosition: element.currentTime, renderTextTracksNatively: false });
  player.loadSource(address);
  player.attachMedia(element);
  return player;
}

/**
 * Plays the stream of the job with this id from the current position, unless it is null. It calls `failed` with whether it cannot be
 * played. Returns the audio tracks, the number of the chosen one, and a function that chooses another.
 */
export function useStream(video, id, playing, failed) {
  const [player, set] = useState(null);
  const [sound, note] = useState({ tracks: [], chosen: 0 });
  useEffect(() => {
    if (!id) return undefined;
    const { current: element } = video;
    let [unmounted, current, grants] = [false, null, 0];
    const start = async () => {
      grants += 1;
      const { hls } = await api.playback(id);
      const loaded = unmounted ? null : await load(element, hls);
      current?.destroy();
      current = loaded;
      if (unmounted) current?.destroy();
      if (unmounted || !current) return;
      set(current);
      const tracks = () => note({ tracks: current.audioTracks, chosen: current.audioTrack });
      current.on('hlsAudioTracksUpdated', tracks);
      current.on('hlsAudioTrackSwitched', tracks);
      // A grant that has ended or was revoked: a new one plays on.
      current.on('hlsError', (_, { fatal }) => fatal && (grants < 3 ? begin() : failed(true)));
    };
    const begin = () => start().catch(() => unmounted || failed(true));
    failed(false);
    begin().then(() => playing.current && element.play().catch(() => {}));
    return () => {
      unmounted = true;
      const { currentTime } = element;
      current?.destroy();
      // Without a source the element notes the position for the next one.
      element.currentTime = currentTime;
      set(null);
      note({ tracks: [], chosen: 0 });
    };
  }, [id]);
  const choose = (number) => {
    player.audioTrack = number;
  };
  return { ...sound, choose };
}
