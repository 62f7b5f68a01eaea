// Playback of a stream by HLS: the rendition follows the connection. hls.js is loaded when a stream is played.
//
// While the film is made, its list of segments grows. It becomes complete while it is played, without a new start.

import { useEffect, useRef, useState } from '../ui/dom.js';

/** True when the browser plays streams: by Media Source Extensions, or by itself. */
const canStream = () =>
  'MediaSource' in window || document.createElement('video').canPlayType('application/vnd.apple.mpegurl') !== '';

/** True when the job has a stream that this browser plays, also one that still grows. A job may succeed without a complete one. */
export const hasStream = (job) => {
  const { status, outputs } = job.stages.scale ?? {};
  const isWhole = status !== 'succeeded' || outputs.some(({ name }) => name === 'stream.json');
  return Boolean(job.playable_at) && isWhole && canStream();
};

/** Milliseconds before each new start. A server that refuses, or a picture that cannot be decoded, will not change in a minute. */
const PAUSES = [0, 2000, 5000, 10000, 20000, 30000];
const REFUSED_PAUSES = [0, 0];

/** True when the server has refused, and false when it could not be reached. */
const isRefused = (status) => status >= 400 && status < 500;

/**
 * The class of hls.js that chooses segments, changed for lists that grow: a viewer waits at the end and plays on. Without this change
 * hls.js may jump back by a segment or more there, as for a live broadcast.
 */
const waitingAtTheEnd = (Base) =>
  class extends Base {
    synchronizeToLiveEdge() {}
  };

/** Lets the element play a stream by itself from a position. Returns a function that stops this. */
function playNative(element, url, position, failed) {
  element.addEventListener('error', failed);
  element.src = url;
  element.currentTime = position;
  return () => element.removeEventListener('error', failed);
}

/**
 * Plays the stream with this id from the current position, unless it is null. It calls `failed` with whether it cannot be played. Returns
 * the audio tracks, the number of the chosen one, and a function that chooses another.
 *
 * `address(id)` returns the URL of the stream with a grant. `captions` adds the stream's captions to the element. `seconds` is the length of
 * the film, or 0 until it is known: a list that ended before it gives way to the complete stream.
 */
export function useStream(video, id, { address, captions, seconds = 0, playing, failed }) {
  const [player, set] = useState(null);
  const [sound, note] = useState({ tracks: [], chosen: 0 });
  const length = useRef();
  length.current = seconds;
  useEffect(() => {
    if (!id) return undefined;
    const { current: element } = video;
    // The number of the latest start: an earlier one that is still loading ends without an effect.
    let [latest, stop, failures, track, timer] = [0, () => {}, 0, null, null];
    const start = async () => {
      latest += 1;
      const own = latest;
      const position = element.currentTime;
      const library = 'MediaSource' in window ? import('../../vendor/hls.min.mjs') : null;
      const [url, loaded] = await Promise.all([address(id), library]);
      if (own !== latest) return;
      stop();
      if (loaded) {
        // A worker of hls.js would come from a blob, which the page's policy forbids.
        const one = new loaded.default({
          enableWorker: false,
          // Also 0, so that a growing list starts at its beginning.
          startPosition: position,
          streamController: waitingAtTheEnd(loaded.default.DefaultConfig.streamController),
          renderTextTracksNatively: captions,
        });
        const tracks = () => note({ tracks: one.audioTracks, chosen: one.audioTrack });
        one.on('hlsAudioTracksUpdated', () => {
          if (track !== null) one.audioTrack = track;
          tracks();
        });
        one.on('hlsAudioTrackSwitched', () => {
          track = one.audioTrack;
          tracks();
        });
        one.on('hlsFragBuffered', () => {
          failures = 0;
        });
        one.on('hlsError', (_, { fatal, type, response }) => {
          if (fatal) again(type !== 'networkError' || isRefused(response?.code));
        });
        one.loadSource(url);
        one.attachMedia(element);
        stop = () => one.destroy();
        set(one);
      } else {
        // The element does not say whether the server was reached.
        stop = playNative(element, url, position, () => again(false));
      }
      if (playing.current) element.play().catch(() => {});
    };
    const begin = () => {
      const own = latest + 1;
      return start().catch(({ status }) => own === latest && again(isRefused(status)));
    };
    // A grant that has ended or was revoked, or a server that was away: a new grant plays on.
    const again = (refused) => {
      const pause = (refused ? REFUSED_PAUSES : PAUSES)[failures];
      failures += 1;
      clearTimeout(timer);
      if (pause === undefined) failed(true);
      else timer = setTimeout(begin, pause);
    };
    const ended = () => {
      if (element.currentTime < length.current - 1) begin().then(() => element.play());
    };
    element.addEventListener('ended', ended);
    failed(false);
    begin();
    return () => {
      latest += 1;
      clearTimeout(timer);
      element.removeEventListener('ended', ended);
      const { currentTime } = element;
      stop();
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
