"""Logging in at a server with Mastodon's API, from the address that a person enters to a renewed token."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from posts.platforms._mastodon_instance import server_address
from posts.platforms.mastodon import PLATFORM
from posts.publishing.errors import OutcomeUnknown, PublishError, ReconnectNeeded, Temporary, TokenExpired, Unreachable
from posts.publishing.http import Http
from posts.publishing.oauth import Authorization, Callback
from posts.publishing.platform import Session
from posts.publishing.types import App, Connection, Json
from posts.publishing.words import WORDS
from tests.posts.platforms.contract import MemoryCheckpoints, an_http, closed_port, content
from tests.posts.platforms.fake_mastodon import ACCOUNT_ID, ALL_SCOPES, FakeMastodon

CALLBACK = Callback("https://socialq.example/accounts/callback/", "state-1", "verifier-" + "v" * 50)
SITE = App("an id of the settings", "a secret of the settings", site_url="https://socialq.example")


@pytest.fixture
def server() -> Iterator[FakeMastodon]:
    with FakeMastodon() as server:
        yield server


def a_session(**more: Any) -> Session:
    return Session(an_http(), {}, {}, lambda: datetime.now(UTC), app=SITE, **more)


def begin(server: FakeMastodon, known: Json | None = None, callback: Callback = CALLBACK) -> Authorization:
    return PLATFORM.authorize(a_session(), {"instance": server.url}, callback, known or {})


def agree(begun: Authorization) -> str:
    """Follow the address as a browser does; return the code that the server sends the person back with."""
    answer = an_http().request("GET", begun.url)
    assert answer.status == 302, answer.text()
    back = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
    assert answer.headers["location"].startswith(CALLBACK.redirect_uri)
    assert back["state"] == CALLBACK.state
    return back["code"]


def log_in(server: FakeMastodon) -> Connection:
    begun, answers, session = begin(server), {"instance": server.url}, a_session()
    tokens = PLATFORM.exchange(session, agree(begun), answers, CALLBACK, begun.registration)
    (connection,) = PLATFORM.connections(session, tokens, answers)
    return connection


def connected(server: FakeMastodon) -> Session:
    connection = log_in(server)
    return replace(a_session(), credentials=connection.credentials, config=connection.config)


def commit(session: Session) -> Any:
    return PLATFORM.commit(session, PLATFORM.prepare(session, content("Hello"), MemoryCheckpoints()))


def refused(call: Any, kind: type[PublishError], code: str) -> PublishError:
    with pytest.raises(PublishError) as caught:
        call()
    assert (type(caught.value), caught.value.code) == (kind, code)
    assert code in WORDS
    return caught.value


# The whole way


def test_no_app_has_to_be_set_up_at_first() -> None:
    assert not PLATFORM.needs_app


def test_registers_an_app_and_sends_the_person_to_it(server: FakeMastodon) -> None:
    begun = begin(server)
    assert server.paths() == ["/api/v2/instance", "/api/v1/apps", "/oauth/token"]
    assert all("authorization" not in seen.headers for seen in server.seen)
    assert server.seen[1].form() == {
        "client_name": "SocialQ",
        "redirect_uris": CALLBACK.redirect_uri,
        "scopes": "read:accounts write:media write:statuses read:statuses",
        "website": "https://socialq.example",
    }
    ((client_id, app),) = server.apps.items()
    assert server.seen[2].form() == {
        "grant_type": "client_credentials",
        "scope": "read:accounts",
        "client_id": client_id,
        "client_secret": app.secret,
    }
    address = urlsplit(begun.url)
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{server.url}/oauth/authorize"
    challenge = base64.urlsafe_b64encode(hashlib.sha256(CALLBACK.verifier.encode()).digest()).rstrip(b"=").decode()
    assert dict(parse_qsl(address.query)) == {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": CALLBACK.redirect_uri,
        "scope": "read:accounts write:media write:statuses read:statuses",
        "state": CALLBACK.state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    assert begun.registration_key == f"{server.url}|{CALLBACK.redirect_uri}"
    assert app.secret not in repr(begun)


def test_trades_the_code_and_connects(server: FakeMastodon) -> None:
    connection = log_in(server)
    ((client_id, app),) = server.apps.items()
    trade = next(seen for seen in server.seen if seen.form().get("grant_type") == "authorization_code")
    assert {name: value for name, value in trade.form().items() if name != "code"} == {
        "grant_type": "authorization_code",
        "redirect_uri": CALLBACK.redirect_uri,
        "code_verifier": CALLBACK.verifier,
        "client_id": client_id,
        "client_secret": app.secret,
    }
    token = connection.credentials["access_token"]
    assert connection.credentials == {"access_token": token, "client_id": client_id, "client_secret": app.secret}
    assert set(connection.scopes) == set(ALL_SCOPES.split())
    assert (connection.config["application"], connection.config["instance"]) == ("SocialQ", server.url)
    assert connection.identity.id.startswith(f"{ACCOUNT_ID}@")
    assert (connection.expires_at, connection.renewable_until) == (None, None)
    for secret in (token, app.secret):
        assert secret not in repr(connection) + repr(connection.config)


# Registrations


def test_a_known_app_is_used_again(server: FakeMastodon) -> None:
    first = begin(server)
    second = begin(server, first.registration)
    assert second.registration == first.registration
    assert server.paths().count("/api/v1/apps") == 1


@pytest.mark.parametrize("what", ["forgotten", "other callback", "other server", "nothing"])
def test_an_app_that_is_of_no_use_here_is_registered_anew(server: FakeMastodon, what: str) -> None:
    known = begin(server).registration
    match what:
        case "forgotten":
            server.apps.clear()
        case "other callback":
            known = {**known, "redirect_uri": "https://old.example/"}
        case "other server":
            known = {**known, "instance": "https://elsewhere.example"}
        case "nothing":
            known = {"instance": server.url, "redirect_uri": CALLBACK.redirect_uri}
    begun = begin(server, known)
    assert begun.registration["client_id"] != known.get("client_id")
    assert agree(begun)


def test_a_server_without_tokens_for_apps_keeps_its_registration(server: FakeMastodon) -> None:
    known = begin(server).registration
    server.fault("/oauth/token", status=400, body={"error": "unsupported_grant_type"})
    assert begin(server, known).registration == known


def test_a_server_without_pkce_is_not_sent_any(server: FakeMastodon) -> None:
    server.instance = {**server.instance, "version": "0.20.0+git-1a2b3c", "api_versions": {}}
    begun = begin(server)
    assert "code_challenge" not in begun.url
    PLATFORM.exchange(a_session(), agree(begun), {"instance": server.url}, CALLBACK, begun.registration)
    assert "code_verifier" not in server.seen[-1].form()


def test_a_server_with_coarse_scopes_is_asked_for_those(server: FakeMastodon) -> None:
    server.instance = {**server.instance, "version": "3.5.3 (compatible; Pixelfed 0.12.6)", "api_versions": {}}
    connection = log_in(server)
    assert server.seen[1].form()["scopes"] == "read write"
    assert connection.scopes == ("read", "write")


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (422, {"error": "Validation failed: Redirect URI must be absolute"}, ReconnectNeeded, "mastodon.app_refused"),
        (403, {"error": "This API requires an authenticated user"}, ReconnectNeeded, "mastodon.app_refused"),
        (200, "<html>", ReconnectNeeded, "mastodon.app_refused"),
        (200, {"client_id": "", "client_secret": None}, ReconnectNeeded, "mastodon.app_refused"),
        (503, "", Temporary, "server_error"),
    ],
)
def test_an_app_that_cannot_be_registered(
    server: FakeMastodon, status: int, body: Any, kind: type[PublishError], code: str
) -> None:
    server.fault("/api/v1/apps", status=status, body=body)
    refused(lambda: begin(server), kind, code)


# Codes and tokens


def test_a_code_counts_once_and_only_with_its_verifier(server: FakeMastodon) -> None:
    begun, answers = begin(server), {"instance": server.url}
    code = agree(begun)
    other = replace(CALLBACK, verifier="another" * 9)
    for callback in (other, CALLBACK):
        trade = partial(PLATFORM.exchange, a_session(), code, answers, callback, begun.registration)
        error = refused(trade, ReconnectNeeded, "oauth.grant_refused")
        assert code not in str(vars(error))


def test_a_wrong_secret_of_the_app(server: FakeMastodon) -> None:
    begun = begin(server)
    registration = {**begun.registration, "client_secret": "wrong-secret"}
    refused(
        lambda: PLATFORM.exchange(a_session(), agree(begun), {"instance": server.url}, CALLBACK, registration),
        ReconnectNeeded,
        "oauth.client_refused",
    )


def test_a_login_with_a_right_left_out_is_refused(server: FakeMastodon) -> None:
    begun, answers = begin(server), {"instance": server.url}
    tokens = PLATFORM.exchange(a_session(), agree(begun), answers, CALLBACK, begun.registration)
    refused(
        lambda: PLATFORM.connections(a_session(), tokens | {"scope": "profile write:media"}, answers),
        ReconnectNeeded,
        "oauth.scope_missing",
    )


# Tokens that end


def test_a_token_that_ends_is_renewed(server: FakeMastodon) -> None:
    server.tokens_end_after = 600
    connection = log_in(server)
    assert connection.expires_at is not None
    assert abs(connection.expires_at - datetime.now(UTC) - timedelta(minutes=10)) < timedelta(seconds=5)
    session = replace(a_session(), credentials=connection.credentials, config=connection.config)
    server.expire_access_tokens()
    refused(lambda: commit(session), TokenExpired, "mastodon.token_refused")
    before = len(server.seen)
    renewed = PLATFORM.refresh(session)
    assert server.paths()[before:] == ["/oauth/token"]
    assert server.seen[-1].form() == {
        "grant_type": "refresh_token",
        "refresh_token": connection.credentials["refresh_token"],
        "client_id": connection.credentials["client_id"],
        "client_secret": connection.credentials["client_secret"],
    }
    assert renewed.identity == connection.identity
    assert renewed.credentials["refresh_token"] != connection.credentials["refresh_token"]
    assert renewed.expires_at is not None
    commit(replace(session, credentials=connection.credentials | renewed.credentials))
    assert len(server.accepted) == 1


def test_a_renewal_without_a_new_refresh_token_leaves_the_old_one(server: FakeMastodon) -> None:
    server.tokens_end_after = 600
    session = connected(server)
    server.fault("/oauth/token", status=200, body={"access_token": "new-token", "expires_in": 600})
    assert PLATFORM.refresh(session).credentials == {"access_token": "new-token"}


def test_a_refresh_token_that_was_taken_back(server: FakeMastodon) -> None:
    server.tokens_end_after = 600
    session = connected(server)
    server.grants.clear()
    error = refused(lambda: PLATFORM.refresh(session), ReconnectNeeded, "oauth.grant_refused")
    assert session.credentials["refresh_token"] not in str(vars(error))


def test_a_token_without_anything_to_renew_it_needs_its_owner(server: FakeMastodon) -> None:
    session = connected(server)
    before = len(server.seen)
    refused(lambda: PLATFORM.refresh(session), ReconnectNeeded, "mastodon.login_over")
    assert len(server.seen) == before


# Addresses


@pytest.mark.parametrize(
    ("entered", "address"),
    [
        ("mastodon.example", "https://mastodon.example"),
        (" HTTPS://Mastodon.Example/ ", "https://mastodon.example"),
        ("mastodon.example:8443", "https://mastodon.example:8443"),
        ("tröt.example", "https://xn--trt-tna.example"),
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("http://gotosocial:8080", "http://gotosocial:8080"),
        ("203.0.113.7", "https://203.0.113.7"),
    ],
)
def test_addresses_as_people_enter_them(entered: str, address: str) -> None:
    assert server_address(entered) == address


@pytest.mark.parametrize(
    ("entered", "code"),
    [
        ("", "mastodon.address_wrong"),
        ("@alice@mastodon.example", "mastodon.address_wrong"),
        ("alice@mastodon.example", "mastodon.address_wrong"),
        ("https://alice:secret@mastodon.example", "mastodon.address_wrong"),
        ("https://mastodon.example/@alice", "mastodon.address_wrong"),
        ("mastodon.example/api", "mastodon.address_wrong"),
        ("mastodon.example?x=1", "mastodon.address_wrong"),
        ("mastodon.example#top", "mastodon.address_wrong"),
        ("ftp://mastodon.example", "mastodon.address_wrong"),
        ("file:///etc/passwd", "mastodon.address_wrong"),
        ("mastodon.example:99999", "mastodon.address_wrong"),
        ("mast odon.example", "mastodon.address_wrong"),
        ("mastodon..example", "mastodon.address_wrong"),
        ("http://[::1", "mastodon.address_wrong"),
        ("mastodon.example\\@evil.example", "mastodon.address_wrong"),
        ("http://mastodon.example", "mastodon.address_not_https"),
        ("http://1.1.1.1", "mastodon.address_not_https"),
        ("http://[2002:7f00:1::]", "mastodon.address_not_https"),
    ],
)
def test_addresses_that_are_none(entered: str, code: str) -> None:
    for step in (
        lambda: PLATFORM.authorize(a_session(), {"instance": entered}, CALLBACK, {}),
        lambda: PLATFORM.connections(a_session(), {"access_token": "t"}, {"instance": entered}),
    ):
        refused(step, ReconnectNeeded, code)


def test_a_server_that_is_no_such_server(server: FakeMastodon) -> None:
    server.v1_only = True
    server.fault("/api/v1/instance", status=200, body="<html>A shop</html>")
    error = refused(lambda: begin(server), ReconnectNeeded, "mastodon.no_api")
    assert error.params["host"] in server.url
    assert "/api/v1/apps" not in server.paths()


def test_a_redirect_of_the_server_is_not_followed(server: FakeMastodon) -> None:
    for path in ("/api/v2/instance", "/api/v1/instance"):
        server.fault(path, status=301, headers={"Location": "http://169.254.169.254/latest"})
    refused(lambda: begin(server), ReconnectNeeded, "mastodon.no_api")


def test_a_private_address_is_refused_unless_the_site_allows_it(server: FakeMastodon) -> None:
    http = Http(allow_private=False, timeout_seconds=5, refuse_when=lambda: False)
    for entered in (server.url, "localhost:1", "https://127.0.0.1"):
        with pytest.raises(Unreachable, match=r"address_(refused|forbidden)"):
            PLATFORM.authorize(replace(a_session(), http=http), {"instance": entered}, CALLBACK, {})
    assert not server.seen


def test_a_server_that_answers_without_end_is_left(server: FakeMastodon) -> None:
    server.fault("/api/v2/instance", status=200, body=b" " * 3_000_000)
    refused(lambda: begin(server), Temporary, "answer_too_large")


def test_a_server_that_is_down(server: FakeMastodon) -> None:
    with closed_port() as address:
        refused(
            lambda: PLATFORM.authorize(a_session(), {"instance": address}, CALLBACK, {}), Unreachable, "connect_failed"
        )
    server.fault("/api/v2/instance", status=502, body="<html>")
    refused(lambda: begin(server), Temporary, "server_error")


def test_the_token_goes_to_the_account_s_own_server_only(server: FakeMastodon) -> None:
    session = connected(server)
    elsewhere = replace(session, app=replace(SITE, api_base="http://127.0.0.1:1", auth_base="http://127.0.0.1:1"))
    assert commit(elsewhere).id
    server.fault("/api/v1/statuses", kind="cut")
    refused(lambda: commit(elsewhere), OutcomeUnknown, "connection_lost")
