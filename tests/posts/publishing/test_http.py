from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from posts.publishing.errors import OutcomeUnknown, PublishError, Temporary, Unreachable
from posts.publishing.http import Http, Response, base_url, handed_out
from posts.publishing.types import App
from tests.posts.platforms.fake_server import Answer, FakeServer, Seen

NOW = datetime(2026, 11, 22, 7, 0, 0, tzinfo=UTC)
SECRET = 'p"ä/ss word'


class Echo(FakeServer):
    def handle(self, seen: Seen) -> Answer:
        return Answer(200, {"path": seen.path})


@pytest.fixture
def server() -> Iterator[Echo]:
    with Echo() as server:
        yield server


def an_http(
    timeout_seconds: float = 5, *, refuse_when: Callable[[], bool] = lambda: False, secrets: Iterable[str] = ()
) -> Http:
    return Http(allow_private=True, timeout_seconds=timeout_seconds, refuse_when=refuse_when, secrets=secrets)


@contextmanager
def tls_server(certificate: trustme.LeafCert) -> Iterator[tuple[str, list[bytes]]]:
    """A TLS server that keeps what it could read, which is nothing where the client does not trust it."""
    received: list[bytes] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)

    def run() -> None:
        connected, _ = listener.accept()
        with connected:
            try:
                with context.wrap_socket(connected, server_side=True) as secured:
                    while b"body" not in b"".join(received):
                        received.append(secured.recv(65536))
                    secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/", received
        thread.join(5)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """A certificate authority that this process trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return authority


# What is sent


def test_asks_for_plain_json_on_a_connection_of_its_own(server: Echo) -> None:
    response = an_http().request("POST", f"{server.url}/x", params={"a": "1"}, json={"b": 2})
    assert (response.status, response.json()) == (200, {"path": "/x"})
    (seen,) = server.seen
    assert (seen.method, seen.query, seen.json()) == ("POST", {"a": "1"}, {"b": 2})
    assert seen.headers["accept-encoding"] == "identity"
    assert seen.headers["connection"] == "close"
    assert seen.headers["user-agent"] == "SocialQ"


def test_ignores_proxies_of_the_environment(server: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert an_http().request("GET", server.url).status == 200


def test_keeps_no_cookies(server: Echo) -> None:
    http = an_http()
    server.fault("/", status=200, body={}, headers={"Set-Cookie": "a=b"})
    http.request("GET", server.url)
    http.request("GET", server.url)
    assert "cookie" not in server.seen[1].headers


def test_refuses_to_work_inside_a_transaction(server: Echo) -> None:
    with pytest.raises(RuntimeError, match="inside a database transaction"):
        an_http(refuse_when=lambda: True).request("GET", server.url)
    assert not server.seen


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "ftp://a.example/",
        "file:///etc/passwd",
        "http://",
        "https://u:p@a.example/",
    ],
)
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(Unreachable) as caught:
        an_http().request("GET", url)
    assert caught.value.code == "address_invalid"


@pytest.mark.parametrize("header", ["a\nb", "a\r\nX: y"])
def test_a_header_that_cannot_be_sent_is_not_quoted(server: Echo, header: str) -> None:
    with pytest.raises(Unreachable) as caught:
        an_http().request("POST", server.url, irreversible=True, headers={"Authorization": header})
    assert caught.value.code == "request_invalid"
    assert not caught.value.detail
    assert not server.seen


# Deadlines and sizes


@pytest.mark.parametrize("irreversible", [False, True])
@pytest.mark.parametrize("kind", ["hang", "drip"])
def test_the_deadline_is_for_the_whole_call(server: Echo, kind: str, irreversible: bool) -> None:
    server.fault("/", kind=kind, status=200, body="x" * 200)
    begun = time.monotonic()
    with pytest.raises(PublishError) as caught:
        an_http(0.3).request("POST", server.url, irreversible=irreversible)
    assert 0.25 < time.monotonic() - begun < 3
    assert type(caught.value) is (OutcomeUnknown if irreversible else Temporary)
    assert caught.value.code == "no_answer_in_time"


def test_a_server_that_does_not_read_meets_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        begun = time.monotonic()
        with pytest.raises(OutcomeUnknown, match="no_answer_in_time"):
            an_http(0.3).request("POST", url, irreversible=True, content=b"x" * 20_000_000)
        assert time.monotonic() - begun < 3


def test_a_call_may_have_a_time_of_its_own(server: Echo) -> None:
    server.fault("/", kind="hang")
    with pytest.raises(Temporary, match="no_answer_in_time"):
        an_http(60).request("GET", server.url, timeout_seconds=0.1)


def test_the_size_of_an_answer_is_bounded(server: Echo) -> None:
    server.fault("/", status=200, body=b"x" * 101, times=2)
    with pytest.raises(Temporary, match="answer_too_large"):
        an_http().request("GET", server.url, max_response_bytes=100)
    assert len(an_http().request("GET", server.url, max_response_bytes=101).body) == 101


def test_an_answer_cut_short_is_none(server: Echo) -> None:
    server.fault("/", status=200, body=b"{}", headers={"Content-Length": "99"}, times=2)
    with pytest.raises(Temporary, match="connection_lost"):
        an_http().request("GET", server.url)
    with pytest.raises(OutcomeUnknown, match="connection_lost"):
        an_http().request("POST", server.url, irreversible=True)


def test_headers_without_end_are_bounded(server: Echo) -> None:
    server.fault("/", status=200, headers={"X-Long": "x" * 200_000})
    with pytest.raises(Temporary, match="connection_lost"):
        an_http().request("GET", server.url)


# TLS


def test_a_trusted_certificate_is_accepted(authority: trustme.CA) -> None:
    with tls_server(authority.issue_cert("127.0.0.1")) as (url, received):
        assert an_http().request("POST", url, content=b"body").status == 200
    assert b"".join(received).startswith(b"POST / HTTP/1.1")


@pytest.mark.parametrize("case", ["self-signed", "wrong name", "expired"])
def test_a_bad_certificate_is_refused_before_anything_is_sent(authority: trustme.CA, case: str) -> None:
    certificate = {
        "self-signed": lambda: trustme.CA().issue_cert("127.0.0.1"),
        "wrong name": lambda: authority.issue_cert("other.example"),
        "expired": lambda: authority.issue_cert("127.0.0.1", not_after=datetime(2020, 1, 1, tzinfo=UTC)),
    }[case]()
    with tls_server(certificate) as (url, received), pytest.raises(Unreachable) as caught:
        an_http().request("POST", url, irreversible=True, headers={"Authorization": "Bearer abcdef"}, content=b"body")
    assert caught.value.code == "tls_failed"
    assert not received


def test_a_clear_text_server_under_https_is_refused(server: Echo) -> None:
    with pytest.raises(Unreachable, match="tls_failed"):
        an_http().request("GET", server.url.replace("http:", "https:"))
    assert not server.seen


# Secrets


def test_secrets_are_blotted_out_in_every_form_a_server_may_quote() -> None:
    http = an_http(secrets=["first-secret"])
    http.hide(SECRET, "")
    text = http.redact('first-secret p"ä/ss word p%22%C3%A4%2Fss%20word p\\"\\u00e4/ss word and the')
    assert text == "[secret] [secret] [secret] [secret] and the"
    assert SECRET not in repr(http)


def test_the_repr_of_an_answer_shows_no_body_and_no_headers() -> None:
    response = Response(200, {"set-cookie": "secret"}, b"secret", "a.example")
    assert "secret" not in repr(response)


# Answers


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_an_answer_that_is_no_object(body: bytes) -> None:
    with pytest.raises(Temporary, match="bad_answer"):
        Response(200, {}, body, "a.example").json()
    with pytest.raises(OutcomeUnknown, match="bad_answer"):
        Response(200, {}, body, "a.example", irreversible=True).json()
    assert Response(200, {}, body, "a.example").json_or_empty() == {}


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"null", b"\xff", b"[" * 100_000])
def test_an_answer_that_is_no_array(body: bytes) -> None:
    with pytest.raises(Temporary, match="bad_answer"):
        Response(200, {}, body, "a.example").json_list()
    with pytest.raises(OutcomeUnknown, match="bad_answer"):
        Response(200, {}, body, "a.example", irreversible=True).json_list()


def test_an_array_is_cleaned_as_an_object_is() -> None:
    assert Response(200, {}, rb'["a\u0000", {"b": NaN}]', "a.example").json_list() == ["a", {"b": None}]


def test_what_no_database_stores_is_not_in_an_answer() -> None:
    body = rb'{"a\u0000": ["b\u0000c", {"d": "\ud800e \ud83d\ude00"}], "f": NaN, "g": -1e999, "h": 1.5, "i": null}'
    answer = Response(200, {}, body, "a.example").json()
    assert answer == {"a": ["bc", {"d": "e 😀"}], "f": None, "g": None, "h": 1.5, "i": None}


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("17", 17),
        ("0", 0),
        ("Sun, 22 Nov 2026 07:01:00 GMT", 60),
        ("Sun, 22 Nov 2026 06:00:00 GMT", 0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("١٧", None),
        ("9" * 400, 86_400),
        ("Fri, 31 Dec 9999 23:59:59 -1400", 86_400),
        ("Fri, 31 Dec 99999999999999999999 23:59:59 GMT", None),
        ("Sun, 22 Nov 2026 07:01:00 +99999999999999", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert Response(429, {"retry-after": value}, b"", "a.example").retry_after_seconds(NOW) == seconds


@pytest.mark.parametrize(
    ("entered", "address"),
    [
        (" bsky.social/ ", "https://bsky.social"),
        ("http://127.0.0.1:2583", "http://127.0.0.1:2583"),
        ("https://a.example/tg//", "https://a.example/tg"),
        ("", ""),
    ],
)
def test_addresses_as_people_write_them(entered: str, address: str) -> None:
    assert base_url(entered) == address


@pytest.mark.parametrize(
    ("address", "called"),
    [
        ("https://up.network.test/a?b=c#d", "https://up.network.test/a?b=c"),
        ("https://NETWORK.test/a", "https://NETWORK.test/a"),
        ("http://up.network.test/a", ""),
        ("https://notnetwork.test/a", ""),
        ("https://network.test.evil.test/a", ""),
        ("https://user@network.test/a", ""),
        ("/a", ""),
        ("https://[", ""),
        ("", ""),
    ],
)
def test_an_address_of_an_answer_is_called_only_at_the_network_itself(address: str, called: str) -> None:
    assert handed_out(App(), address, ("network.test",)) == called


@pytest.mark.parametrize("host", ["up.network.test", "evil.test"])
def test_where_the_api_is_moved_addresses_of_answers_move_along(host: str) -> None:
    moved = App(api_base="http://127.0.0.1:8080")
    assert handed_out(moved, f"https://{host}/a?b=c", ("network.test",)) == "http://127.0.0.1:8080/a?b=c"
