"""Bodies and queries of strangers: what is read at all, and what is refused before anybody has to handle it."""

from __future__ import annotations

import json
import tracemalloc
from contextlib import suppress
from io import BytesIO
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.http import QueryDict

from queue_app.rest.bodies import MAX_BODY_BYTES, MAX_DEPTH, parse, read_json, require_known
from queue_app.rest.problems import Problem


class Untouched(BytesIO):
    """A body that must not be read."""

    def read(self, *_args: Any) -> bytes:
        raise AssertionError("the body was read")


class Endless(BytesIO):
    """A body that brings as much as is asked for, without end."""

    def read(self, size: int | None = -1) -> bytes:
        assert size is not None
        assert size > 0, "read without a bound"
        return b" " * size


def request(body: BytesIO, length: str | None, **headers: str) -> WSGIRequest:
    meta: dict[str, Any] = {"REQUEST_METHOD": "POST", "wsgi.input": body, "CONTENT_TYPE": "application/json"}
    if length is not None:
        meta["CONTENT_LENGTH"] = length
    return WSGIRequest({**meta, **{f"HTTP_{name.upper()}": value for name, value in headers.items()}})


def refusal(given: WSGIRequest) -> int:
    with pytest.raises(Problem) as refused:
        read_json(given)
    return int(refused.value.status)


@pytest.mark.parametrize(
    ("length", "headers", "status"),
    [
        (str(MAX_BODY_BYTES + 1), {}, 413),
        ("9" * 5000, {}, 413),
        ("-1", {}, 400),
        ("ten", {}, 400),
        ("٣", {}, 400),
        (None, {"transfer_encoding": "chunked"}, 411),
        ("10", {"content_encoding": "gzip"}, 415),
        ("10", {"content_encoding": "identity, br"}, 415),
    ],
)
def test_what_is_said_of_a_body_refuses_it_before_it_is_read(length: str, headers: Any, status: int) -> None:
    assert refusal(request(Untouched(), length, **headers)) == status


def test_no_more_is_read_than_the_bound_whatever_comes() -> None:
    given = request(Endless(), str(MAX_BODY_BYTES))
    assert refusal(given) == 400  # a million spaces are no JSON
    given = request(Endless(), "10")
    given._stream = Endless()  # a server that does not stop at the announced length
    assert refusal(given) == 413


def test_a_body_that_breaks_off_or_lies_about_its_length_is_no_json() -> None:
    body = json.dumps({"text": "Hello"}).encode()
    assert refusal(request(BytesIO(body), "5")) == 400
    assert refusal(request(BytesIO(body[:9]), str(len(body)))) == 400


def test_json_is_kept_and_another_type_is_told() -> None:
    body = b'{"text": "Hello"}'
    given = request(BytesIO(body), str(len(body)))
    read_json(given)
    assert (given.json_body, given.body) == ({"text": "Hello"}, body)  # type: ignore[attr-defined]
    given = request(BytesIO(), "0")
    read_json(given)
    assert given.json_body is None  # type: ignore[attr-defined]
    given = request(BytesIO(body), str(len(body)))
    given.content_type = "application/x-www-form-urlencoded"
    assert refusal(given) == 415


@pytest.mark.parametrize("body", [b"{", b"NaN", b"[Infinity]", b"\xff", b"[" * 100_000, b"1" * 10_000, b"{'a': 1}"])
def test_what_is_no_json_is_400(body: bytes) -> None:
    with pytest.raises(Problem) as refused:
        parse(body)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (rb'{"text": "a\u0000"}', "text"),
        (rb'{"list": [{"alt": "\ud800"}]}', "list.0.alt"),
        (rb'{"a\u0000": 1}', ""),
        (b'{"id": 9223372036854775808}', "id"),
        (b'{"minutes": 1e999}', "minutes"),
        (b'{"a": ' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1), ".".join("a" * MAX_DEPTH)),
    ],
)
def test_what_nobody_could_keep_is_422_with_its_path(body: bytes, path: str) -> None:
    with pytest.raises(Problem) as refused:
        parse(body)
    assert (refused.value.status, [error.path for error in refused.value.errors]) == (422, [path])


@pytest.mark.parametrize("query", ["field__regex=.", "account__credential__startswith=a", "q=%00", "q=a&q=b%00"])
def test_a_query_has_known_names_and_plain_text(query: str) -> None:
    with pytest.raises(Problem) as refused:
        require_known(QueryDict(query), {"q"})
    assert refused.value.status == 400
    assert refused.value.errors
    require_known(QueryDict("q=' OR 1"), {"q"})


def nested(inside: str) -> bytes:
    return ('{"' + "k" * 80 + '":').encode() * (MAX_DEPTH - 2) + inside.encode() + b"}" * (MAX_DEPTH - 2)


@pytest.mark.parametrize("each", ["0", '"\\u0000"'])
def test_a_body_within_its_bound_takes_little_memory_whatever_is_in_it(each: str) -> None:
    body = nested(f"[{','.join([each] * 100_000)}]")
    tracemalloc.start()
    try:
        with suppress(Problem):
            parse(body)
        _now, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 20 * MAX_BODY_BYTES
