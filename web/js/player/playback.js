// The playback position, shared by the player, the transcript and the time line of languages.

import { Store } from '../store.js';
import { useEffect, useRef, useState } from '../ui/dom.js';

/** Events of the video element after which its state may differ. */
const EVENTS = [
  'timeupdate',
  'seeking',
  'play',
  'pause',
  'ended',
  'loadedmetadata',
  'durationchange',
  'progress',
  'volumechange',
];

/** The state of the video element, in seconds, pixels and booleans. */
export class Playback extends Store {
  #video = null;
  time = 0;
  playing = false;
  /** The position up to which the video can be played. It moves while the film is made. */
  end = 0;
  /** The size of the picture; 0 until it is known. */
  width = 0;
  height = 0;

  /** True when the page has a video element. */
  get ready() {
    return this.#video !== null;
  }

  /** Follows a video element. Returns a function that stops this. */
  attach(video) {
    this.#video = video;
    const read = () => {
      this.time = video.currentTime;
      this.playing = !video.paused;
      const { seekable, videoWidth, videoHeight } = video;
      this.end = seekable.length ? seekable.end(seekable.length - 1) : 0;
      Object.assign(this, { width: videoWidth, height: videoHeight });
      this.changed();
    };
    for (const event of EVENTS) video.addEventListener(event, read);
    this.changed();
    return () => {
      for (const event of EVENTS) video.removeEventListener(event, read);
      this.#video = null;
      this.changed();
    };
  }

  seek(seconds) {
    this.#video.currentTime = seconds;
    this.time = seconds;
    this.changed();
  }

  toggle() {
    // Ignored here, because the `error` event reports a video that the browser cannot play.
    if (this.#video.paused) this.#video.play().catch(() => {});
    else this.#video.pause();
  }
}

/** The result of `select(playback)`. The component renders again only when the result changes. */
export function usePlayback(playback, select) {
  const [value, set] = useState(() => select(playback));
  useEffect(() => {
    set(select(playback));
    return playback.subscribe(() => set(select(playback)));
  }, [playback, select]);
  return value;
}

/** A reference to whether the user wants the video to play. The element pauses by itself after an error, and for another source. */
export function usePlaying(video) {
  const playing = useRef(false);
  useEffect(() => {
    const { current: element } = video;
    const note = ({ type }) => {
      if (!element.error) playing.current = type === 'play';
    };
    for (const name of ['play', 'pause']) element.addEventListener(name, note);
    return () => {
      for (const name of ['play', 'pause']) element.removeEventListener(name, note);
    };
  }, []);
  return playing;
}
