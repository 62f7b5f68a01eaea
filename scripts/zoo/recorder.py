"""Real recordings of the MediaRecorder in Debian's Chromium."""

import base64

from zoo.case import Film, film, speech

# A test picture and beeps stand for a camera and a microphone.
FAKE_DEVICES = [
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
]

# Records each kind of stream at the same time. `kinds` has name, type, and the stream's source.
RECORD = """async (kinds) => {
    const wait = (ms) => new Promise((done) => setTimeout(done, ms));
    const camera = (more) => navigator.mediaDevices.getUserMedia(
        { video: { width: 320, height: 180, frameRate: 30 }, audio: true, ...more });
    const canvas = (draw) => {
        const area = Object.assign(document.createElement('canvas'), { width: 320, height: 180 });
        const pen = area.getContext('2d');
        let n = 0;
        const paint = () => { draw(area, pen, n++); };
        paint();
        return [area, setInterval(paint, 40)];
    };
    const ball = (area, pen, n) => {
        pen.fillStyle = '#345'; pen.fillRect(0, 0, area.width, area.height);
        pen.fillStyle = '#fc0'; pen.fillRect((n * 7) % area.width, 40, 40, 40);
    };
    const sources = {
        camera: async () => [await camera({})],
        silent: async () => [await camera({ audio: false })],
        voice: async () => [await camera({ video: false })],
        canvas: async () => {
            const [area, timer] = canvas(ball);
            return [area.captureStream(25), timer];
        },
        still: async () => {
            const [area, timer] = canvas((a, pen, n) => (n === 0 || n > 50) && ball(a, pen, n));
            return [area.captureStream(), timer];
        },
        turned: async () => {
            const [area, timer] = canvas((a, pen, n) => {
                if (n === 50) { a.width = 180; a.height = 320; }
                ball(a, pen, n);
            });
            return [area.captureStream(25), timer];
        },
    };
    const record = async ([name, type, source, how]) => {
        if (!MediaRecorder.isTypeSupported(type)) { return [name, null]; }
        const [stream, timer] = await sources[source]();
        const parts = [];
        const recorder = new MediaRecorder(stream, { mimeType: type, videoBitsPerSecond: 400000 });
        recorder.ondataavailable = (event) => parts.push(event.data);
        const stopped = new Promise((done) => { recorder.onstop = done; });
        recorder.start(how === 'slices' ? 200 : undefined);
        await wait(1800);
        if (how === 'pause') { recorder.pause(); await wait(1000); recorder.resume(); }
        await wait(1800);
        recorder.stop();
        await stopped;
        clearInterval(timer);
        stream.getTracks().forEach((track) => track.stop());
        const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
        let text = '';
        for (let at = 0; at < bytes.length; at += 8192) {
            text += String.fromCharCode(...bytes.subarray(at, at + 8192));
        }
        return [name, btoa(text)];
    };
    return Promise.all(kinds.map(record));
}"""

# Name, type for the MediaRecorder, source, manner, what it is.
KINDS = [
    ("chromium-vp8.webm", "video/webm;codecs=vp8,opus", "camera", "", "VP8 of a camera"),
    ("chromium-vp9.webm", "video/webm;codecs=vp9,opus", "camera", "slices", "VP9 of a camera, in slices"),
    ("chromium-h264.mkv", "video/x-matroska;codecs=avc1,opus", "camera", "", "H.264 of a camera in Matroska"),
    ("chromium-h264.mp4", "video/mp4;codecs=avc1,opus", "camera", "slices", "H.264 of a camera in MP4"),
    ("chromium-vp9.mp4", "video/mp4;codecs=vp9,opus", "camera", "", "VP9 of a camera in MP4"),
    ("chromium-av1.webm", "video/webm;codecs=av1,opus", "silent", "", "AV1 of a camera without a microphone"),
    ("chromium-paused.webm", "video/webm;codecs=vp8,opus", "camera", "pause", "a recording that was paused"),
    ("chromium-canvas.webm", "video/webm;codecs=vp8", "canvas", "", "a canvas"),
    ("chromium-still.webm", "video/webm;codecs=vp8", "still", "", "a canvas that stands still, then moves"),
    ("chromium-turned.webm", "video/webm;codecs=vp8", "turned", "", "a canvas that changes its shape"),
]
VOICE = ("chromium-voice.webm", "audio/webm;codecs=opus", "voice", "", "the beeps of a test microphone")


def answer(kind):
    _name, _, source, _, _ = kind
    turned = source == "turned"
    tracks = 1 if source == "camera" else 0
    return Film(256, 144, None, None, rate=30, tracks=tracks, black=False, sync=False, bars=0.5 if turned else 0)


def record(kinds):
    """Records all kinds at once; returns the bytes by name. A kind that this Chromium does not know is absent."""
    from playwright.sync_api import sync_playwright

    from web_test.site_in_browser import FLAGS

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS + FAKE_DEVICES)
        page = browser.new_context(permissions=["camera", "microphone"]).new_page()
        page.route("http://localhost/", lambda route: route.fulfill(body="<!doctype html><title>recorder</title>"))
        page.goto("http://localhost/")
        recorded = page.evaluate(RECORD, [list(kind[:4]) for kind in kinds])
        browser.close()
    return {name: base64.b64decode(text) for name, text in recorded if text}


def cases(quick):
    """Records, and returns a case for each recording."""
    kinds = KINDS[:1] + KINDS[8:9] if quick else [*KINDS, VOICE]
    recorded = record(kinds)
    found = []
    for kind in kinds:
        name, _, source, _, what = kind
        if name not in recorded:
            continue
        make = write(recorded[name])
        if source == "voice":
            found.append(speech(name, what, make, "no_speech", quick=True))
        else:
            found.append(film(name, what, make, answer(kind), quick=True))
    return found


def write(content):
    return lambda out: out.write_bytes(content)
