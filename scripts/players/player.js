// One interface for three players: `window.player`, with `open`, `levels`, `choose`, `sounds`, `texts`, `showText`, and
// `edge`: how far a stream that is being made can be played.

const video = document.querySelector('video');
// Errors that a player or the page reports, and pauses for lack of data.
window.problems = [];
window.stalls = 0;
window.addEventListener('error', (event) => window.problems.push(`page: ${event.message}`));
video.addEventListener('error', () => window.problems.push(`video: ${video.error.message}`));

const SCRIPTS = {
  'hls.js': 'npm/hls.js/dist/hls.min.js',
  'shaka-hls': 'npm/shaka-player/dist/shaka-player.compiled.js',
  'shaka-dash': 'npm/shaka-player/dist/shaka-player.compiled.js',
  'dash.js': 'npm/dashjs/dist/modern/umd/dash.all.min.js',
};

const hls = () => {
  const player = new Hls();
  return {
    async open({ hls }) {
      player.on(Hls.Events.ERROR, (_, { type, details, error }) => {
        const { BUFFER_STALLED_ERROR, INTERNAL_ABORTED } = Hls.ErrorDetails;
        const isWaiting = window.expected && details === BUFFER_STALLED_ERROR;
        // The player ends its own requests when it changes the rendition.
        if (details !== INTERNAL_ABORTED && !isWaiting) window.problems.push(`${type} ${details} ${error ?? ''}`);
      });
      const parsed = new Promise((done) => player.once(Hls.Events.MANIFEST_PARSED, done));
      player.loadSource(hls);
      player.attachMedia(video);
      await parsed;
    },
    levels: () => player.levels.length,
    choose(height) {
      player.nextLevel = player.levels.findIndex((level) => level.height === height);
    },
    sounds: () => player.audioTracks.length,
    chooseSound(number) {
      player.audioTrack = number;
    },
    texts: () => player.subtitleTracks.length,
    edge: () => (video.seekable.length ? video.seekable.end(0) : 0),
    showText() {
      player.subtitleTrack = 0;
      player.subtitleDisplay = true;
    },
  };
};

const shaka = (protocol) => {
  const player = new window.shaka.Player();
  const at = (height) => player.getVariantTracks().find((track) => track.height === height && track.active === false);
  return {
    async open(urls) {
      player.addEventListener('error', ({ detail }) => window.problems.push(`shaka ${detail.code} ${detail.data}`));
      await player.attach(video);
      await player.load(urls[protocol], 0);
    },
    levels: () => new Set(player.getVariantTracks().map((track) => track.height)).size,
    choose(height) {
      player.configure({ abr: { enabled: false } });
      const track = at(height);
      if (track) player.selectVariantTrack(track, true);
    },
    sounds: () => new Set(player.getAudioTracks().map((track) => track.label + track.language)).size,
    chooseSound(number) {
      player.selectAudioTrack(player.getAudioTracks()[number]);
    },
    texts: () => player.getTextTracks().length,
    edge: () => player.seekRange().end,
    showText() {
      player.selectTextTrack(player.getTextTracks()[0]);
    },
    images: () => player.getImageTracks().length,
  };
};

const dash = () => {
  const player = dashjs.MediaPlayer().create();
  return {
    async open({ dash }) {
      player.on('error', ({ error }) => window.problems.push(`dash.js ${error.code} ${error.message}`));
      const ready = new Promise((done) => player.on('streamInitialized', done));
      player.initialize(video, dash, false);
      await ready;
    },
    levels: () => player.getRepresentationsByType('video').length,
    choose(height) {
      player.updateSettings({ streaming: { abr: { autoSwitchBitrate: { video: false } } } });
      const chosen = player.getRepresentationsByType('video').find((one) => one.height === height);
      player.setRepresentationForTypeById('video', chosen.id, true);
    },
    sounds: () => player.getTracksFor('audio').length,
    chooseSound(number) {
      player.setCurrentTrack(player.getTracksFor('audio')[number]);
    },
    texts: () => player.getTracksFor('text').length,
    showText() {
      player.enableText(true);
      player.setTextTrack(0);
    },
    images: () => player.getTracksFor('image').length,
  };
};

const KINDS = {
  'hls.js': hls,
  'shaka-hls': () => shaka('hls'),
  'shaka-dash': () => shaka('dash'),
  'dash.js': dash,
};

const name = new URLSearchParams(location.search).get('player');
await new Promise((done, failed) => {
  const script = document.createElement('script');
  script.src = SCRIPTS[name];
  script.onload = done;
  script.onerror = failed;
  document.head.append(script);
});
window.player = KINDS[name]();
// `waiting` at a seek is no stall.
video.addEventListener('waiting', () => {
  if (!video.seeking && video.currentTime > 0.5 && !window.expected) window.stalls += 1;
});
window.isReady = true;
