// The keyboard shortcuts of the player, as in other players.

/** The action of each key. `captions` shows or hides the captions. */
export function keys({ playback, video, captions }) {
  return {
    ' ': () => playback.toggle(),
    k: () => playback.toggle(),
    ArrowLeft: () => playback.seek(Math.max(0, playback.time - 5)),
    ArrowRight: () => playback.seek(Math.min(video.duration || 0, playback.time + 5)),
    m: () => (video.muted = !video.muted),
    f: () => toggleFullScreen(video),
    c: captions,
  };
}

/** Enters or leaves full screen. */
export function toggleFullScreen(video) {
  if (document.fullscreenElement) document.exitFullscreen();
  else
    video
      .closest('.player')
      .requestFullscreen?.()
      .catch(() => {});
}
