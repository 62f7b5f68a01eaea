"""A running VidP: `vidp up` with a separate folder, and a client."""

import contextlib
import json
import os
import pathlib
import time
import urllib.request

from bench.tools import BINARIES, BenchError, binary, environment, run, say, start, stop

START = 120
# Settings of a system that makes every film in one piece.
ONE_PIECE = {"VIDP_PART_SECONDS": "1000000"}
OVER = {"succeeded", "partial", "failed", "cancelled"}


class System:
    """Runs during the `with` block, and stops even when the block raises."""

    def __init__(self, folder, max_upload_mb, binaries=BINARIES, arguments=(), settings=None):
        self.folder = folder
        self.vidp = binary("vidp", binaries)
        self.arguments = arguments
        self.settings = {"VIDP_MAX_UPLOAD_MB": str(max_upload_mb), **(settings or {})}

    def __enter__(self):
        say("starting the system")
        log = self.folder / "up.log"
        command = [self.vidp, "up", "--api-port", "0", "--data-dir", self.folder, *self.arguments]
        with open(log, "w") as out:
            self.process = start(command, stdout=out, stderr=out, env=environment(**self.settings))
        try:
            self.state = self.wait_ready(log)
        except BaseException:
            stop(self.process)
            raise
        self.url = self.state["url"]
        return self

    def __exit__(self, *_):
        say("stopping the system")
        stop(self.process)

    def wait_ready(self, log):
        state, until = self.folder / "up.json", time.monotonic() + START
        while not state.exists():
            if self.process.poll() is not None or time.monotonic() > until:
                raise BenchError(f"`vidp up` did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.1)
        return json.loads(state.read_text())

    def pid(self, name):
        """The process of a service, for example `api` or `scale-1`."""
        (pid,) = [service["pid"] for service in self.state["services"] if service["name"] == name]
        return pid

    def submit_command(self, file, *options):
        return [self.vidp, "submit", file, "--server", self.url, "--json", *options]

    def submit(self, file, *options):
        """Uploads with `vidp submit`; returns the job's id."""
        return json.loads(run(self.submit_command(file, *options)))["id"]

    def request(self, method, path):
        with urllib.request.urlopen(urllib.request.Request(self.url + path, method=method), timeout=60) as answer:
            return answer.read()

    def job(self, job, query=""):
        return json.loads(self.request("GET", f"/api/v1/jobs/{job}{query}"))

    def is_over(self, job):
        return self.job(job)["status"] in OVER

    def wait(self, job):
        """Waits until the job ends; returns its document."""
        while True:
            document = self.job(job, "?wait=20")
            if document["status"] in OVER:
                return document

    def succeeded(self, job, stage):
        """Waits for a job that must succeed; returns its document and the seconds of its worker."""
        document = self.wait(job)
        if document["status"] != "succeeded":
            raise BenchError(f"the {stage} job is {document['status']}: {document['stages'][stage]['error']}")
        timings = document["stages"][stage]["timings"]
        return document, timings["fetch"] + timings["process"] + timings["store"]

    def delete(self, job):
        self.request("DELETE", f"/api/v1/jobs/{job}")


def children(pid):
    """The process ids of a process's children."""
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # The thread has ended.
            found += [int(child) for child in task.read_text().split()]
    return found


def arguments(pid):
    """The command line of a process; empty after its end."""
    try:
        raw = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return [os.fsdecode(part) for part in raw.split(b"\0")[:-1]]
