"""A small client of the API."""

import json
import pathlib
import time
import urllib.error
import urllib.request
import uuid

OVER = {"succeeded", "partial", "failed", "cancelled"}


class Client:
    def __init__(self, url):
        self.url = url.rstrip("/")

    def open(self, path, data=None, headers=None, timeout=90):
        request = urllib.request.Request(self.url + path, data=data, headers=headers or {})
        return urllib.request.urlopen(request, timeout=timeout)

    def submit(self, path, options):
        """Uploads a file as a form; returns the job's id. A refusal is a job that has failed with its code."""
        boundary = uuid.uuid4().hex
        part = f'--{boundary}\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n'
        body = (part % ("options", "")).encode() + json.dumps(options).encode() + b"\r\n"
        body += (
            (part % ("file", f'; filename="{path.name}"')).encode()
            + path.read_bytes()
            + f"\r\n--{boundary}--\r\n".encode()
        )
        kind = {"content-type": f"multipart/form-data; boundary={boundary}"}
        with self.open("/api/v1/jobs", body, kind) as answer:
            return json.load(answer)["id"]

    def wait(self, job, seconds=300):
        """Waits until a job ends; returns its document."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with self.open(f"/api/v1/jobs/{job}?wait=20") as answer:
                document = json.load(answer)
            if document["status"] in OVER:
                return document
        raise TimeoutError(f"job {job} has not ended after {seconds} s: {document['status']}")

    def output(self, job, name, folder):
        """Stores an output in a folder; returns the path."""
        path = pathlib.Path(folder) / name.replace("/", "-")
        with self.open(f"/api/v1/jobs/{job}/outputs/{name}") as answer:
            path.write_bytes(answer.read())
        return path
