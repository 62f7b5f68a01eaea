// The URL that a video plays from. With a key it is a presigned URL, which is renewed when it expires.

import { api } from '../server/api.js';
import { useEffect } from '../ui/dom.js';

/** A second error within this many seconds of video is not an expired URL. */
const SAME_POSITION = 2;

/** Plays `file` from the current position, unless it is null. It calls `failed` with whether the file cannot be played. */
export function useSource(video, file, playing, failed) {
  useEffect(() => {
    if (!file) return undefined;
    const { current: element } = video;
    let unmounted = false;
    let renewedAt = NaN;
    const load = () =>
      api.address(file).then(
        (address) => {
          if (unmounted) return;
          const { currentTime } = element;
          element.src = address;
          element.currentTime = currentTime;
          if (playing.current) element.play().catch(() => {});
        },
        () => unmounted || failed(true),
      );
    // The element does not report the cause of an error, so a new URL shows whether the old one had expired.
    const renew = () => {
      const again = Math.abs(element.currentTime - renewedAt) < SAME_POSITION;
      renewedAt = element.currentTime;
      if (again) failed(true);
      else load();
    };
    failed(false);
    load();
    element.addEventListener('error', renew);
    return () => {
      unmounted = true;
      element.removeEventListener('error', renew);
    };
  }, [file?.sha256]);
}
