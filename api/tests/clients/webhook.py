"""Receives webhooks, verifies them with the library of Standard Webhooks, and writes each as a line of JSON.

webhook.py PORT STATUS[,STATUS...]: answers with these statuses in order, and then always with the last one. The first
line has the port. A line `secret whsec_...` on the standard input adds a secret; each message is verified with every
secret.
"""

import http.server
import json
import sys
import threading

import standardwebhooks

secrets = []
statuses = [int(status) for status in sys.argv[2].split(",")]


def verifies(secret, body, headers):
    try:
        return bool(standardwebhooks.Webhook(secret).verify(body, headers))
    except standardwebhooks.WebhookVerificationError:
        return False


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = dict(self.headers)
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        line = {
            "id": headers.get("webhook-id"),
            "verified": [verifies(secret, body, headers) for secret in secrets],
            "content_type": headers.get("content-type"),
            "body": json.loads(body),
            "status": status,
        }
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()
        print(json.dumps(line), flush=True)

    def log_message(self, *_):
        pass


def listen():
    for line in sys.stdin:
        secrets.append(line.split()[1])
        print(json.dumps({"secrets": len(secrets)}), flush=True)


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
print(json.dumps({"port": server.server_port}), flush=True)
threading.Thread(target=listen, daemon=True).start()
server.serve_forever()
