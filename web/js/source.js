// What a video plays from. With a key that is a link which expires: then another one takes its place.

import { api } from './api.js';
import { useEffect, useRef } from './dom.js';

/** An error this near the one before is none of the link. Seconds. */
const NEAR = 2;

/** Plays `file` from where the film is; `failed` hears whether it cannot be played. */
export function useSource(video, file, failed) {
  // As somebody wants it: at an error the element pauses by itself.
  const playing = useRef(false);
  useEffect(() => {
    const { current: element } = video;
    let left = false;
    let renewedAt = NaN;
    const note = ({ type }) => {
      if (!element.error) playing.current = type === 'play';
    };
    const load = () =>
      api.address(file).then(
        (address) => {
          if (left) return;
          const { currentTime } = element;
          element.src = address;
          element.currentTime = currentTime;
          if (playing.current) element.play().catch(() => {});
        },
        () => left || failed(true),
      );
    // An element does not tell what is wrong: another address shows whether it was that.
    const renew = () => {
      const again = Math.abs(element.currentTime - renewedAt) < NEAR;
      renewedAt = element.currentTime;
      if (again) failed(true);
      else load();
    };
    failed(false);
    load();
    const listeners = { play: note, pause: note, error: renew };
    for (const [name, listener] of Object.entries(listeners)) element.addEventListener(name, listener);
    return () => {
      left = true;
      for (const [name, listener] of Object.entries(listeners)) element.removeEventListener(name, listener);
    };
  }, [file.sha256]);
}
