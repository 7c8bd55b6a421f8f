"""The one way out: every call to a platform goes through ``Http``.

    call fails before a byte of the request left      -> Unreachable
    after that, ``irreversible``                      -> OutcomeUnknown
    after that, repeatable                            -> Temporary

Owns the deadline, the size cap, redaction and the sorting of transport faults. Each call has a connection of its own:
nothing is retried, kept alive, pooled, followed (a redirect is an answer) or taken from the environment's proxies, and
a forked worker shares no socket. Judges no status code: that is the platform's table. Reads no settings.
"""

from __future__ import annotations

import io
import json as jsonlib
import logging
import math
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, BinaryIO
from urllib.parse import quote, urlsplit

import httpcore2
import httpx2

from posts.publishing.errors import OutcomeUnknown, PublishError, Temporary, Unreachable
from posts.publishing.faults import said
from posts.publishing.guard import GuardedBackend, Wire
from posts.publishing.types import App, Body, Json

DEFAULT_HEADERS = {
    "User-Agent": "SocialQ",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Connection": "close",
}
MAX_RESPONSE_BYTES = 1_000_000
# A call that carries much may take longer: as long as this many bytes a second need, up to so many times the usual.
SLOWEST_BYTES_PER_SECOND = 100_000
LONGEST_CALL_FACTOR = 8
LONGEST_WAIT_SECONDS = 86_400.0  # what a server asks for beyond that is a fault of its own
SECRET_MIN_CHARACTERS = 4  # shorter strings would blot out ordinary words
BLOT = "[secret]"

# At DEBUG it writes the headers of every answer into the log, and a server may quote a token there.
logging.getLogger("httpcore2").setLevel(logging.INFO)

# Parts of a multipart body by name: file name, content (bytes, or a stream that the caller closes), type.
Files = Mapping[str, tuple[str | None, bytes | BinaryIO, str]]


class _SourceFailedError(Exception):
    """The file that was being sent could not be read."""


@dataclass(frozen=True, slots=True)
class Response:
    """A complete answer of at most the allowed size. ``headers`` have lower-case names."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    host: str
    irreversible: bool = False

    def text(self) -> str:
        """Return the body as text; what is no UTF-8 is replaced."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Json:
        """Return the body's JSON object, without what no database stores. Anything else raises ``bad_answer``:
        OutcomeUnknown after an irreversible call, else Temporary."""
        value = self._value()
        if not isinstance(value, dict):
            raise self.unusable("bad_answer")
        return value

    def json_or_empty(self) -> Json:
        """Return the body's JSON object, or an empty one: for answers whose status already says enough."""
        try:
            return self.json()
        except PublishError:
            return {}

    def json_list(self) -> list[Any]:
        """Return the body's JSON array, cleaned as in ``json``; anything else raises ``bad_answer`` as there."""
        value = self._value()
        if not isinstance(value, list):
            raise self.unusable("bad_answer")
        return value

    def _value(self) -> Any:
        try:
            return _storable(jsonlib.loads(self.body))
        except (ValueError, RecursionError):
            return None

    def unusable(self, code: str, *, detail: str = "", retry_after_seconds: float | None = None) -> PublishError:
        """Return the error for an answer that says nothing documented about what happened."""
        if self.irreversible:
            return OutcomeUnknown(code, detail=detail, status_code=self.status, host=self.host)
        return Temporary(
            code, detail=detail, status_code=self.status, retry_after_seconds=retry_after_seconds, host=self.host
        )

    def retry_after_seconds(self, now: datetime) -> float | None:
        """Return the delay of ``Retry-After`` (seconds or a date, RFC 9110 10.2.3), a day at most, ``None`` if there is
        none."""
        value = self.headers.get("retry-after", "").strip()
        if value.isascii() and value.isdigit():
            return min(float(value), LONGEST_WAIT_SECONDS)
        try:
            at = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        return min(max(0.0, (at - now).total_seconds()), LONGEST_WAIT_SECONDS) if at.tzinfo else None


def _storable(value: Any) -> Any:
    """Return parsed JSON without NUL, lone surrogates, NaN and infinity: JSON may hold them, databases do not."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "ignore").decode()
    if isinstance(value, dict):
        return {_storable(name): _storable(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_storable(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _call_seconds(request: httpx2.Request, usual: float) -> float:
    """Return how long a call may take: the usual time, and for what it carries as long as a slow line needs."""
    carries = int(request.headers.get("content-length", 0))
    return max(usual, min(usual + carries / SLOWEST_BYTES_PER_SECOND, usual * LONGEST_CALL_FACTOR))


def _pieces(stream: Any) -> Iterator[bytes]:
    """Yield a request's body; that its file cannot be read is told apart from a fault of the connection."""
    pieces = iter(stream)
    while True:
        try:
            piece = next(pieces, None)
        except OSError:
            piece, failed = None, True
        else:
            failed = False
        if failed:
            raise _SourceFailedError
        if piece is None:
            return
        yield piece


def base_url(address: str) -> str:
    """Return a server's address as entered by a person with a scheme (https where none is given), without end slash."""
    address = address.strip().rstrip("/")
    return address if not address or "://" in address else f"https://{address}"


def handed_out(app: App, address: str, hosts: tuple[str, ...]) -> str:
    """Return where to call an address that a network's answer names (an upload, a next page); "" if it is foreign.

    It must be https at one of ``hosts`` or below one. Where the site's settings move the network's API, the call goes
    there with the address's path, whatever host was named: a login never reaches a host that nobody has chosen.
    """
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").lower()
    except ValueError:
        return ""
    if not host or parts.username is not None or parts.password is not None:
        return ""
    if app.api_base:
        base = urlsplit(app.api_base)
        return parts._replace(scheme=base.scheme, netloc=base.netloc, fragment="").geturl()
    own = any(host == known or host.endswith(f".{known}") for known in hosts)
    return parts._replace(fragment="").geturl() if own and parts.scheme == "https" else ""


class Http:
    """Sends requests for one account. Cheap to make; holds no connection.

    ``allow_private`` opens the address guard for private networks, ``timeout_seconds`` is the total time of a call,
    ``refuse_when`` says that calls are forbidden now (inside a database transaction), ``secrets`` never appear in an
    error's detail.
    """

    def __init__(
        self,
        *,
        allow_private: bool,
        timeout_seconds: float,
        refuse_when: Callable[[], bool],
        secrets: Iterable[str] = (),
    ) -> None:
        self._allow_private = allow_private
        self._timeout_seconds = timeout_seconds
        self._refuse_when = refuse_when
        self._secrets: set[str] = set()
        self.hide(*secrets)

    def __repr__(self) -> str:
        return f"Http(timeout_seconds={self._timeout_seconds})"

    def hide(self, *secrets: str) -> None:
        """Add secrets that became known on the way, in the forms in which a server may quote them."""
        for secret in secrets:
            if len(secret) >= SECRET_MIN_CHARACTERS:
                self._secrets.update({secret, quote(secret, safe=""), jsonlib.dumps(secret)[1:-1]})

    def redact(self, text: str) -> str:
        """Return ``text`` with every known secret blotted out."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, BLOT)
        return text

    def request(
        self,
        method: str,
        url: str,
        *,
        irreversible: bool = False,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        json: Json | list[Any] | None = None,
        content: bytes | Body | None = None,
        data: Mapping[str, str] | None = None,
        files: Files | None = None,
        timeout_seconds: float | None = None,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
    ) -> Response:
        """Send one request and return the answer, whatever its status.

        ``irreversible``: the call makes something public, so a fault after the request began is OutcomeUnknown.
        Streams (``Body``, files) are sent in pieces. Raises Unreachable, Temporary or OutcomeUnknown; ``RuntimeError``
        if calls are forbidden now.
        """
        request = self._build(method, url, headers, params=params, json=json, content=content, data=data, files=files)
        wire = Wire(_call_seconds(request, self._timeout_seconds) if timeout_seconds is None else timeout_seconds)
        body = io.BytesIO()
        response = self._call(request, wire, irreversible, max_response_bytes, body)
        return replace(response, body=body.getvalue())

    def download(self, url: str, into: BinaryIO, *, max_bytes: int, timeout_seconds: float | None = None) -> Response:
        """Ask for a file and write what is answered to ``into`` as it comes, at most ``max_bytes``.

        The answer, whatever its status, has no body. Raises Unreachable and Temporary, and OSError of ``into``.
        """
        request = self._build("GET", url, {"Accept": "*/*"}, content=None)
        wire = Wire(self._timeout_seconds if timeout_seconds is None else timeout_seconds)
        return self._call(request, wire, False, max_bytes, into)

    def _call(
        self, request: httpx2.Request, wire: Wire, irreversible: bool, max_bytes: int, into: BinaryIO
    ) -> Response:
        if self._refuse_when():
            raise RuntimeError("a platform was called inside a database transaction; make the call outside of it")
        try:
            return self._send(request, wire, irreversible, max_bytes, into)
        except _SourceFailedError:
            kind = OutcomeUnknown if irreversible and wire.request_left else Temporary
            failure: PublishError = kind("media_unreadable")
        except (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            failure = self._transport_fault(error, request.url.host, wire, irreversible)
        raise failure  # outside of the handler, so that no foreign error with foreign text hangs on ours

    def _build(self, method: str, url: str, headers: Mapping[str, str] | None, **body: Any) -> httpx2.Request:
        """Encode the request. The failure carries no foreign text: it would quote the address or a header."""
        sent = DEFAULT_HEADERS | dict(headers or {})
        source = body["content"]
        if isinstance(source, Body):
            body["content"] = source.chunks()
            sent["Content-Length"] = str(source.size_bytes)
        try:
            request = httpx2.Request(method, url, headers=sent, **body)
        except (httpx2.InvalidURL, ValueError):
            request = None
        if (
            request is None
            or request.url.scheme not in ("http", "https")
            or not request.url.host
            or request.url.userinfo
        ):
            raise Unreachable("address_invalid")
        return request

    def _send(
        self, request: httpx2.Request, wire: Wire, irreversible: bool, max_bytes: int, into: BinaryIO
    ) -> Response:
        url = request.url
        target = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        outgoing = httpcore2.Request(
            request.method, target, headers=request.headers.raw, content=_pieces(request.stream)
        )
        backend = GuardedBackend(wire, allow_private=self._allow_private)
        tls = self._tls if url.scheme == "https" else None
        with httpcore2.HTTPConnection(target.origin, tls, network_backend=backend) as connection:
            answer = connection.handle_request(outgoing)
            headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
            response = Response(answer.status, headers, b"", url.host, irreversible)
            if headers.get("content-encoding", "identity").lower() != "identity":
                raise response.unusable("encoded_answer")  # we asked for none; unpacking could fill the memory
            size = 0
            for chunk in answer.iter_stream():
                size += len(chunk)
                if size > max_bytes:
                    raise response.unusable("answer_too_large")
                into.write(chunk)
            return response

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Trust what the system trusts, or what ``SSL_CERT_FILE`` names (a private certificate authority)."""
        return httpcore2.default_ssl_context()

    def _transport_fault(self, error: Exception, host: str, wire: Wire, irreversible: bool) -> PublishError:
        if not wire.request_left:
            # Without the text, which quotes the header that cannot be sent.
            return Unreachable("request_invalid", host=host)
        code = "no_answer_in_time" if isinstance(error, httpcore2.TimeoutException) else "connection_lost"
        kind = OutcomeUnknown if irreversible else Temporary
        return kind(code, detail=self.redact(said(error)), host=host)
