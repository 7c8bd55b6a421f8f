"""A network on a real socket: remembers what it was asked and what it accepted, and misbehaves when told to.

A platform's fake inherits ``FakeServer`` and answers in ``handle``. It is used inside tests and, by ``serve``, as a
process of its own, where ``GET /_log`` returns the memory, ``POST /_fault`` arms a fault and ``POST /_control`` calls
one of the server's ``controls``. Knows nothing of any network.
"""

from __future__ import annotations

import argparse
import json
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default as default_policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

DRIP_SECONDS = 0.05


@dataclass(frozen=True)
class Seen:
    """One request as it arrived. ``headers`` have lower-case names."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    size_bytes: int = 0  # of the whole body; a server with ``keeps_bytes`` drops what is beyond that

    def form(self) -> dict[str, str]:
        """Return the fields of a form's body."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    def json(self) -> Any:
        """Return the JSON of the body."""
        return json.loads(self.body or b"null")

    def parts(self) -> dict[str, tuple[str, bytes]]:
        """Return the parts of a multipart body by name, each with its file name ("" for a plain field)."""
        head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
        found = {}
        for part in message_from_bytes(head + self.body, policy=default_policy).iter_parts():
            name = part.get_param("name", header="content-disposition")
            found[str(name)] = (part.get_filename() or "", bytes(part.get_payload(decode=True) or b""))
        return found


@dataclass(frozen=True)
class Answer:
    """What is sent back; a ``body`` that is no text and no bytes goes out as JSON."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Fault:
    """What happens to the next ``times`` requests whose path contains ``path``, after the first ``skip`` of them.

    ``kind``: ``answer`` sends ``status``, ``headers`` and ``body``; ``cut`` closes the connection after the request was
    read; ``hang`` never answers; ``drip`` sends one byte at a time. ``after``: the request is carried out first.
    """

    path: str
    kind: str = "answer"
    status: int = 500
    body: Any = ""
    headers: dict[str, str] = field(default_factory=dict)
    after: bool = False
    times: int = 1
    skip: int = 0


class FakeServer:
    """Base of the fakes. Subclasses answer in ``handle`` and append what became public to ``accepted``.

    ``keeps_bytes`` bounds what is kept of a body, so that a film of hundreds of megabytes is counted and let go.
    ``rewrite`` changes what ``handle`` has answered before it is sent: a field more, a field of another type.
    """

    keeps_bytes: int | None = None

    def __init__(self, port: int = 0, log: Path | None = None) -> None:
        self.seen: list[Seen] = []
        self.accepted: list[dict[str, Any]] = []
        self.faults: list[Fault] = []
        self.controls: dict[str, Callable[[], None]] = {}
        self.rewrite: Callable[[Seen, Answer], Answer] = lambda seen, answer: answer
        self._log = log
        self._lock = threading.RLock()
        self.stopping = threading.Event()
        self._server = _Listener(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True)

    @property
    def url(self) -> str:
        """The server's address, without end slash."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def handle(self, seen: Seen) -> Answer:
        """Answer one request as the network documents; what becomes public goes through ``accept``."""
        raise NotImplementedError

    def fault(self, path: str, **how: Any) -> None:
        """Arm a ``Fault`` for ``path``."""
        self.faults.append(Fault(path, **how))

    def accept(self, **post: Any) -> None:
        """Remember a post that is public now; in the log file it is safe from the end of this process."""
        entry = {**post, "at": time.time()}
        self.accepted.append(entry)
        if self._log:
            with self._log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")

    def paths(self) -> list[str]:
        """Return the path of every request, in order."""
        return [seen.path for seen in self.seen]

    def answer(self, seen: Seen) -> tuple[Answer, str]:
        """Return what to send and how."""
        with self._lock:
            if seen.path.startswith("/_"):
                return self._own(seen), "answer"
            self.seen.append(seen)
            fault = self._due_fault(seen)
            if fault is None:
                return self.rewrite(seen, self.handle(seen)), "answer"
            fault.times -= 1
            if not fault.times:
                self.faults.remove(fault)
            if fault.after:
                self.handle(seen)
            return Answer(fault.status, fault.body, fault.headers), fault.kind

    def _due_fault(self, seen: Seen) -> Fault | None:
        fault = next((each for each in self.faults if each.path in seen.path), None)
        if fault is not None and fault.skip:
            fault.skip -= 1
            return None
        return fault

    def _own(self, seen: Seen) -> Answer:
        if seen.path == "/_fault":
            self.fault(**seen.json())
        elif seen.path == "/_control":
            self.controls[seen.json()["call"]]()
        return Answer(200, {"accepted": self.accepted, "seen": self.paths()})


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], fake: FakeServer) -> None:
        self.fake = fake
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # http.server's own would ask the name service who 127.0.0.1 is
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # typeshed: socket or tuple


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def do_GET(self) -> None:
        fake = self.server.fake
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        size = int(headers.get("content-length", "0"))
        body = self._body(size, fake.keeps_bytes)
        seen = Seen(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body, size)
        answer, kind = fake.answer(seen)
        if kind == "hang":
            self._wait_for_hang_up()
        elif kind == "cut":
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self._send(answer, drip=kind == "drip")
        self.close_connection = True

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the names are http.server's

    def _body(self, size: int, keeps: int | None) -> bytes:
        if keeps is None or size <= keeps:
            return self.rfile.read(size)
        kept = self.rfile.read(keeps)
        left = size - keeps
        while left and (chunk := self.rfile.read(min(left, 1 << 20))):
            left -= len(chunk)
        return kept

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        pass

    def _send(self, answer: Answer, *, drip: bool) -> None:
        body = answer.body if isinstance(answer.body, str | bytes) else json.dumps(answer.body)
        payload = body.encode() if isinstance(body, str) else body
        kind = "application/json" if not isinstance(answer.body, str | bytes) else "text/html"
        headers = {"Content-Type": kind, "Content-Length": str(len(payload))} | answer.headers
        head = f"HTTP/1.1 {answer.status} X\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        message = head.encode() + b"Connection: close\r\n\r\n" + payload
        if not drip:
            self.wfile.write(message)
            return
        for byte in message:
            if self.server.fake.stopping.wait(DRIP_SECONDS):
                return
            self.wfile.write(bytes([byte]))

    def _wait_for_hang_up(self) -> None:
        while not self.server.fake.stopping.is_set():
            readable, _, _ = select.select([self.connection], [], [], 0.05)
            if readable and not self.connection.recv(1):
                return


def serve(make: Callable[[int, Path | None], FakeServer]) -> None:
    """Run a fake as a process: print its address, then serve until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path, help="append each accepted post to this file, one JSON object a line")
    arguments = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with make(arguments.port, arguments.log) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        stop.wait()
