// Where the film is: shared by the player, the transcript and the time line of languages.

import { Store, useEffect, useState } from './dom.js';

export class Playback extends Store {
  #video = null;
  time = 0;
  playing = false;

  /** Whether there is something to play. */
  get ready() {
    return this.#video !== null;
  }

  /** Listens to a video element; returns what ends that. */
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
    // Refused when the browser cannot play it: its `error` event tells.
    if (this.#video.paused) this.#video.play().catch(() => {});
    else this.#video.pause();
  }
}

/** What `select` makes of the playback; draws again only when that is something else. */
export function usePlayback(playback, select) {
  const [value, set] = useState(() => select(playback));
  useEffect(() => {
    set(select(playback));
    return playback.subscribe(() => set(select(playback)));
  }, [playback, select]);
  return value;
}
