"""The page in a browser, and the errors that the browser reports."""

import base64
import json
import pathlib
import tempfile
import time
import urllib.request

from playwright.sync_api import expect

# Chromium's sandbox does not work in containers. The other flags prevent requests to the network.
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

# The most milliseconds that a job takes, on a machine with other load.
JOB_TIMEOUT_MS = 120_000

# The timeout of every other expectation, on the same machine.
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
    """A browser with the page open, and the errors so far."""

    HEALTH = "**/api/v1/processing/health"

    def __init__(self, playwright, arguments, folder, samples):
        self.url = arguments.url.rstrip("/")
        self.key = arguments.key
        self.pictures = arguments.screenshots
        self.folder = folder
        self.samples = samples
        self.errors = []
        self.browser = playwright.chromium.launch(executable_path=arguments.browser, args=FLAGS)
        self.page = self.open()

    def open(self, **context):
        """Opens the page in a new browser context. `context` has options of Playwright."""
        context = {"viewport": {"width": 1280, "height": 900}, "locale": "en-GB", **context}
        page = self.browser.new_context(**context).new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: self.errors.append(f"error: {error}"))
        # The console also reports violations of the Content-Security-Policy.
        page.on("console", self._console)
        return page

    def _console(self, message):
        # The browser logs each response with status 401, which the key dialog handles.
        if message.type == "error" and not (self.key and "401" in message.text):
            self.errors.append(f"console: {message.text}")

    def check_errors(self):
        """Fails when the browser has reported an error."""
        assert not self.errors, self.errors

    def hide_workers(self, page, **options):
        """Makes the API report waiting renditions and no worker for them. `options` are for Playwright's `route`."""
        with urllib.request.urlopen(self.HEALTH.replace("**", self.url)) as answer:
            health = json.load(answer)
        health["stages"]["scale"] |= {
            "queue_depth": {"interactive": 2, "batch": 1},
            "workers": {"busy": 0, "idle": 0},
        }
        page.route(self.HEALTH, lambda route: route.fulfill(json=health), **options)

    def ignore_errors(self, text):
        """Removes errors with this text, which a check has caused."""
        self.errors = [one for one in self.errors if text not in one]

    def show_failure(self):
        path = pathlib.Path(tempfile.gettempdir()) / "vidp-web-test.png"
        self.page.screenshot(path=path, full_page=True)
        print(f"{self.page.url} failed: screenshot {path}; errors {self.errors}")

    def enter_key(self, page):
        if self.key:
            page.get_by_role("dialog").get_by_label("Key").fill(self.key)
            page.keyboard.press("Enter")
            expect(page.get_by_role("dialog")).to_have_count(0)

    def go(self, page, address="#/"):
        """Opens a view. A page that is already open does not load again."""
        here = page.url.startswith(self.url)
        page.goto(f"{self.url}/{address}")
        if not here:
            self.enter_key(page)
        expect(page.locator("h1")).to_be_attached()

    def drop(self, page, *files, times=1):
        """Drops files on the page. Each is `(name, content)`; the file has the content `times` times."""
        coded = [(name, "video/mp4", base64.b64encode(content).decode()) for name, content in files]
        page.evaluate(DROP, ["main", coded, times])

    def picture(self, page, name, **options):
        """Saves a screenshot, when the command line names a folder for them."""
        if self.pictures:
            self.pictures.mkdir(parents=True, exist_ok=True)
            path = self.pictures / name
            page.screenshot(path=path, **options)
            assert path.stat().st_size < 250_000, f"{path} is too large for the repository"


def until(page, script):
    """Waits until the script returns something, and returns that.

    Playwright's own `wait_for_function` evaluates in the page, which the page's policy forbids."""
    limit = time.monotonic() + 15
    while not (result := page.evaluate(script)):
        assert time.monotonic() < limit, f"timed out: {script}"
        page.wait_for_timeout(50)
    return result


def rows(page, name):
    """The rows of a file's jobs in the list, the latest first."""
    return page.locator(".row").filter(has=page.get_by_role("link", name=name, exact=True))


def row(page, name):
    """The row of a file's latest job."""
    return rows(page, name).first
