// The playback position, shared by the player, the transcript and the time line of languages.

import { Store } from '../store.js';
import { useEffect, useState } from '../ui/dom.js';

/** The state of the video element, in seconds and booleans. */
export class Playback extends Store {
  #video = null;
  time = 0;
  playing = false;

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
      this.changed();
    };
    const events = ['timeupdate', 'seeking', 'play', 'pause', 'ended', 'loadedmetadata', 'volumechange'];
    for (const event of events) video.addEventListener(event, read);
    this.changed();
    return () => {
      for (const event of events) video.removeEventListener(event, read);
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
