"""What all networks on the Graph API share: errors row by row, usage headers, lists, tokens in headers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from posts.platforms._graph import Graph, created_id, usages
from posts.platforms._graph_rows import shared_words
from posts.publishing.errors import (
    ContentRejected,
    OutcomeUnknown,
    PublishError,
    RateLimited,
    ReconnectNeeded,
    Scope,
    Temporary,
    TokenExpired,
)
from posts.publishing.http import Http, Response
from posts.publishing.platform import Session
from posts.publishing.types import App
from posts.publishing.words import WORDS
from tests.posts.platforms.contract import an_http
from tests.posts.platforms.fake_server import Answer, FakeServer, Seen

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
GRAPH = Graph("instagram", "https://graph.example", "v25.0", refreshes=True)


def session(http: Http | None = None, api_base: str = "", told: list[Any] | None = None) -> Session:
    def exhausted(until: datetime, scope: Scope) -> None:
        if told is not None:
            told.append((until - NOW, scope))

    app = App("id", "client-secret-1", api_base)
    return Session(http or an_http(), {"access_token": "token-1"}, {}, lambda: NOW, app=app, exhausted=exhausted)


def answer(
    code: int, subcode: int = 0, *, status: int = 400, irreversible: bool = False, headers: Any = None, **rest: Any
) -> Response:
    error = {"message": "no", "type": "OAuthException", "code": code, **({"error_subcode": subcode} if subcode else {})}
    body = json.dumps({"error": error | rest}).encode()
    return Response(status, headers or {}, body, "graph.example", irreversible)


ROWS = [
    (190, 0, TokenExpired, "token_expired"),
    (190, 463, TokenExpired, "token_expired"),
    (190, 458, ReconnectNeeded, "instagram.app_removed"),
    (190, 459, ReconnectNeeded, "instagram.checkpoint"),
    (190, 460, ReconnectNeeded, "instagram.password_changed"),
    (190, 464, ReconnectNeeded, "instagram.checkpoint"),
    (190, 467, ReconnectNeeded, "instagram.login_invalid"),
    (102, 0, TokenExpired, "token_expired"),
    (10, 0, ReconnectNeeded, "instagram.permission_missing"),
    (200, 0, ReconnectNeeded, "instagram.permission_missing"),
    (299, 0, ReconnectNeeded, "instagram.permission_missing"),
    (4, 0, RateLimited, "rate_limited"),
    (4, 1349210, RateLimited, "rate_limited"),
    (17, 0, RateLimited, "rate_limited"),
    (32, 0, RateLimited, "rate_limited"),
    (341, 0, RateLimited, "rate_limited"),
    (613, 0, RateLimited, "rate_limited"),
    (80001, 0, RateLimited, "rate_limited"),
    (80002, 0, RateLimited, "rate_limited"),
    (368, 0, RateLimited, "instagram.blocked"),
    (100, 0, ContentRejected, "instagram.invalid_parameter"),
    (506, 0, ContentRejected, "instagram.duplicate"),
]


@pytest.mark.parametrize(("code", "subcode", "kind", "name"), ROWS)
@pytest.mark.parametrize("irreversible", [False, True])
def test_a_documented_refusal_is_believed_wherever_it_comes(
    code: int, subcode: int, kind: type[PublishError], name: str, irreversible: bool
) -> None:
    error = GRAPH.refusal(session(), answer(code, subcode, irreversible=irreversible))
    assert (type(error), error.code) == (kind, name)
    assert error.code in WORDS | shared_words("instagram")


@pytest.mark.parametrize(
    ("response", "name"),
    [
        ({"code": 1}, "server_error"),
        ({"code": 2}, "server_error"),
        ({"code": 2, "status": 500}, "server_error"),
        ({"code": 190, "status": 503}, "server_error"),
        ({"code": 100, "subcode": 33}, "instagram.unreadable"),
        ({"code": 100, "is_transient": True}, "server_error"),
        ({"code": 987654}, "unexpected_answer"),
    ],
)
def test_what_may_pass_is_temporary_and_after_publishing_unknown(response: dict[str, Any], name: str) -> None:
    before = GRAPH.refusal(session(), answer(**response))
    after = GRAPH.refusal(session(), answer(**response, irreversible=True))
    assert (type(before), before.code) == (Temporary, name)
    assert (type(after), after.code) == (OutcomeUnknown, name)


@pytest.mark.parametrize("connecting", [False, True])
@pytest.mark.parametrize("refreshes", [False, True])
def test_a_token_that_is_over_is_only_refreshed_where_that_can_be(refreshes: bool, connecting: bool) -> None:
    graph = Graph("facebook", "https://graph.example", "v26.0", refreshes=refreshes)
    error = graph.refusal(session(), answer(190, 463), connecting=connecting)
    assert type(error) is (TokenExpired if refreshes and not connecting else ReconnectNeeded)


def test_a_platforms_own_rows_go_first_and_a_subcode_before_a_code() -> None:
    own = {(100, None): "own.code", (None, 33): "own.subcode", (None, 4711): "own.any"}
    graph = Graph("x", "https://graph.example", "v1", own)
    assert graph.refusal(session(), answer(100)).code == "own.code"
    assert graph.refusal(session(), answer(9, 4711)).code == "own.any"
    assert graph.refusal(session(), answer(9, 33)).code == "own.subcode"
    assert graph.refusal(session(), answer(100, 33), rows={(100, 33): "call.row"}).code == "call.row"


@pytest.mark.parametrize(("code", "scope"), [(4, "app"), (341, "app"), (17, "account"), (80002, "account")])
def test_a_limit_is_the_accounts_or_the_apps(code: int, scope: str) -> None:
    error = GRAPH.refusal(session(), answer(code, status=403, is_transient=True))
    assert isinstance(error, RateLimited)
    assert (error.scope, error.until - NOW, error.tell) == (scope, timedelta(minutes=10), False)


def business(**entry: Any) -> dict[str, str]:
    return {"x-business-use-case-usage": json.dumps({"17": [{"type": "instagram", "call_count": 1}], "18": [entry]})}


@pytest.mark.parametrize(
    ("headers", "minutes"),
    [
        ({}, 10),
        (business(call_count=100, estimated_time_to_regain_access=42), 42),
        (business(call_count=100, estimated_time_to_regain_access=0), 10),
        ({"x-business-use-case-usage": "{"}, 10),
        ({"x-business-use-case-usage": "[1]", "x-app-usage": '"full"'}, 10),
        ({"retry-after": "30"}, 0.5),
    ],
)
def test_the_wait_is_the_longest_that_a_header_names(headers: dict[str, str], minutes: float) -> None:
    error = GRAPH.refusal(session(), answer(17, headers=headers))
    assert isinstance(error, RateLimited)
    assert error.until - NOW == timedelta(minutes=minutes)


def test_a_block_for_abuse_is_long_and_told_to_people() -> None:
    error = GRAPH.refusal(session(), answer(368))
    assert isinstance(error, RateLimited)
    assert (error.tell, error.until - NOW) == (True, timedelta(hours=6))


def test_a_429_and_a_401_without_an_error_are_what_their_status_says() -> None:
    for status, kind in ((429, RateLimited), (401, TokenExpired), (403, Temporary)):
        assert type(GRAPH.refusal(session(), Response(status, {}, b"<html>", "h"))) is kind


def test_usage_reads_percents_and_minutes() -> None:
    headers = business(call_count=12, total_cputime=96, total_time=3, estimated_time_to_regain_access=0)
    assert max(usages(headers)).percent == 96
    assert list(usages({"x-app-usage": '{"call_count": "28"}'})) == [(0.0, 0.0, "app")]


class Echo(FakeServer):
    def __init__(self) -> None:
        super().__init__()
        self.headers: dict[str, str] = {}

    def handle(self, seen: Seen) -> Answer:
        if seen.path == "/v25.0/list":
            more = seen.query.get("after") != "two"
            next_page = {"next": f"{self.url}/v25.0/list?access_token=token-1&after=two"} if more else {}
            paging = {"cursors": {"after": "two" if more else "three"}, **next_page}
            return Answer(200, {"data": [{"id": seen.query.get("after", "one")}], "paging": paging})
        return Answer(200, {"id": 17, "access_token": "long-token"}, self.headers)


def test_the_token_goes_in_a_header_and_a_list_is_followed_by_cursor() -> None:
    with Echo() as server:
        here = session(api_base=server.url)
        assert created_id(GRAPH.post(here, "me/media", {"caption": "Hi"})) == "17"
        assert [item["id"] for item in GRAPH.items(here, "list", {"fields": "id"})] == ["one", "two"]
        GRAPH.get(here, "upload", token="page-token", scheme="OAuth")
        assert [seen.path for seen in server.seen] == ["/v25.0/me/media", "/v25.0/list", "/v25.0/list", "/v25.0/upload"]
        assert not [seen for seen in server.seen if "token" in str(seen.query) or b"token" in seen.body]
        assert [seen.headers["authorization"] for seen in server.seen] == ["Bearer token-1"] * 3 + ["OAuth page-token"]


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"x-app-usage": '{"call_count": 94}'}, []),
        ({"x-app-usage": '{"call_count": 95}'}, [(timedelta(minutes=10), "app")]),
        ({"x-page-usage": '{"total_time": 100}'}, [(timedelta(minutes=10), "account")]),
        (business(call_count=99, estimated_time_to_regain_access=7), [(timedelta(minutes=7), "account")]),
        ({"x-app-usage": "no json"}, []),
    ],
)
def test_a_success_that_says_the_limit_is_used_up_slows_down(headers: dict[str, str], told: list[Any]) -> None:
    heard: list[Any] = []
    with Echo() as server:
        server.headers = headers
        GRAPH.get(session(api_base=server.url, told=heard), "me")
    assert heard == told


def test_a_short_token_is_traded_at_the_documented_address_only() -> None:
    with Echo() as server:
        here = session(api_base=server.url)
        params = {"grant_type": "ig_exchange_token", "client_secret": "client-secret-1", "access_token": "short-token"}
        assert GRAPH.long_token(here, "access_token", params)["access_token"] == "long-token"
        assert (server.seen[0].path, server.seen[0].query) == ("/access_token", params)
        assert here.http.redact("short-token long-token client-secret-1") == "[secret] [secret] [secret]"


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"error": {"code": 190, "message": "expired"}}, "oauth.grant_refused"),
        ({"error": {"code": 100, "error_subcode": 36007, "message": "code"}}, "oauth.grant_refused"),
        ({"error": {"code": 101, "message": "app"}}, "oauth.client_refused"),
        ({"error": {"code": 1, "message": "Error validating client secret."}}, "oauth.client_refused"),
        ({"error_type": "OAuthException", "code": 400, "error_message": "Invalid code"}, "oauth.grant_refused"),
    ],
)
def test_a_refused_code_or_token_asks_for_a_new_login(body: dict[str, Any], name: str) -> None:
    with Echo() as server:
        server.fault("access_token", status=400, body=body)
        with pytest.raises(ReconnectNeeded) as caught:
            GRAPH.long_token(session(api_base=server.url), "access_token", {"access_token": "short-token"})
    assert caught.value.code == name
