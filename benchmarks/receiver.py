"""The network of the day's benchmark: takes posts as signed events, slowly, and keeps the log that is believed.

``python -m benchmarks.receiver LOG LEAST MOST TRANSIENT``: the seconds that an answer takes, and the share of answers
that are a 503 and take nothing. Prints its port. ``POST /ACCOUNT`` takes an event; after ``PUT /ACCOUNT`` that account
gets a 401, until ``DELETE``. A line of the log is one answer: account, event, status.
"""

from __future__ import annotations

import json
import random
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock

TEST = "socialq.test"


class Receiver(ThreadingHTTPServer):
    """Knows which accounts are revoked, and writes the log."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, log: Path, least: float, most: float, transient: float) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.revoked: set[str] = set()
        self._answer = (least, most, transient)
        self._random = random.Random(1)  # noqa: S311 -- the same answers in every run
        self._lock = Lock()
        self._log = log.open("a", buffering=1)

    def draw(self) -> tuple[float, bool]:
        """Return how long the next answer takes, and whether it is a 503."""
        least, most, transient = self._answer
        with self._lock:
            return self._random.uniform(least, most), self._random.random() < transient

    def note(self, account: str, event: str, status: int) -> None:
        """Write down an answer."""
        with self._lock:
            self._log.write(f"{account} {event} {status}\n")


class Handler(BaseHTTPRequestHandler):
    """Answers to one request."""

    server: Receiver

    def do_POST(self) -> None:
        """Take an event for the account that the path names."""
        account, event = self.path.strip("/"), self.headers["webhook-id"]
        kind = json.loads(self.rfile.read(int(self.headers["content-length"])))["type"]
        if kind == TEST:
            self._end(401 if account in self.server.revoked else 200)
            return
        seconds, fails = self.server.draw()
        time.sleep(seconds)
        status = 401 if account in self.server.revoked else 503 if fails else 200
        self.server.note(account, event, status)
        self._end(status)

    def do_PUT(self) -> None:
        """Revoke an account's login."""
        self.server.revoked.add(self.path.strip("/"))
        self._end(200)

    def do_DELETE(self) -> None:
        """Take its login again."""
        self.server.revoked.discard(self.path.strip("/"))
        self._end(200)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name is http.server's
        """Say nothing: the log has it."""

    def _end(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


def main() -> None:
    """Serve until killed."""
    path, *numbers = sys.argv[1:]
    receiver = Receiver(Path(path), *map(float, numbers))
    print(receiver.server_port, flush=True)
    receiver.serve_forever()


if __name__ == "__main__":
    main()
