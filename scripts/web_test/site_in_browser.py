"""The page in a browser, and everything it complains of."""

import base64
import json
import pathlib
import tempfile
import time
import urllib.request

from playwright.sync_api import expect

# Chromium's sandbox needs what containers do not give; the rest keeps it from asking the network.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# For the work of a job on a machine that has other work.
PATIENCE = 120_000

# For everything else, on the same machine.
expect.set_options(timeout=15_000)

DROP = """([target, files, times]) => {
    const data = new DataTransfer();
    for (const [name, type, text] of files) {
        const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
        data.items.add(new File(Array(times).fill(bytes), name, { type, lastModified: 1 }));
    }
    const on = (name) => document.querySelector(target)
        .dispatchEvent(new DragEvent(name, { dataTransfer: data, bubbles: true, cancelable: true }));
    on('dragenter');
    on('drop');
}"""


class Site:
    HEALTH = "**/api/v1/processing/health"

    def __init__(self, playwright, asked, folder, samples):
        self.url = asked.url.rstrip("/")
        self.key = asked.key
        self.pictures = asked.screenshots
        self.folder = folder
        self.samples = samples
        self.complaints = []
        self.browser = playwright.chromium.launch(executable_path=asked.browser, args=FLAGS)
        self.page = self.open()

    def open(self, **context):
        """A new page in a browser that was never here; `context` is Playwright's."""
        context = {"viewport": {"width": 1280, "height": 900}, "locale": "en-GB", **context}
        page = self.browser.new_context(**context).new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        # Violations of the Content-Security-Policy are among these.
        page.on("console", lambda said: self._console(said))
        return page

    def _console(self, said):
        # The browser's own line about an answer 401, which the key dialog is for.
        if said.type == "error" and not (self.key and "401" in said.text):
            self.complaints.append(f"console: {said.text}")

    def complain(self):
        """Fails when the page did anything that browsers report."""
        assert not self.complaints, self.complaints

    def lose_workers(self, page, **options):
        """From now on the page is told that tasks wait and nobody works on the renditions; `options` are Playwright's."""
        with urllib.request.urlopen(self.HEALTH.replace("**", self.url)) as answer:
            health = json.load(answer)
        health["stages"]["scale"] |= {
            "queue_depth": {"interactive": 2, "batch": 1},
            "workers": {"busy": 0, "idle": 0},
        }
        page.route(self.HEALTH, lambda route: route.fulfill(json=health), **options)

    def forgive(self, text):
        """Forgets complaints with this text, which a check brought about."""
        self.complaints = [one for one in self.complaints if text not in one]

    def show_failure(self):
        path = pathlib.Path(tempfile.gettempdir()) / "vidp-web-test.png"
        self.page.screenshot(path=path, full_page=True)
        print(f"{self.page.url} at the failure: {path}; complaints: {self.complaints}")

    def enter_key(self, page):
        if self.key:
            page.get_by_role("dialog").get_by_label("Key").fill(self.key)
            page.keyboard.press("Enter")
            expect(page.get_by_role("dialog")).to_have_count(0)

    def go(self, page, address="#/"):
        """Opens a view; asks nothing of the server again when the page is there already."""
        here = page.url.startswith(self.url)
        page.goto(f"{self.url}/{address}")
        if not here:
            self.enter_key(page)
        expect(page.locator("h1")).to_be_attached()

    def drop(self, page, *files, times=1):
        """Drops files, each `(name, content)` with the content that many times, somewhere on the page."""
        coded = [(name, "video/mp4", base64.b64encode(content).decode()) for name, content in files]
        page.evaluate(DROP, ["main", coded, times])

    def picture(self, page, name, **options):
        if self.pictures:
            self.pictures.mkdir(parents=True, exist_ok=True)
            path = self.pictures / name
            page.screenshot(path=path, **options)
            assert path.stat().st_size < 250_000, f"{path} is too large for the repository"


def until(page, script):
    """What the script says, once that is something. Playwright's own `wait_for_function` evaluates in the page, which
    the page's policy forbids."""
    limit = time.monotonic() + 15
    while not (said := page.evaluate(script)):
        assert time.monotonic() < limit, f"never so: {script}"
        page.wait_for_timeout(50)
    return said


def rows(page, name):
    """The jobs of a file in the list, the latest first."""
    return page.locator(".row").filter(has=page.get_by_role("link", name=name, exact=True))


def row(page, name):
    return rows(page, name).first
