"""How often programs may ask, and what becomes of those that guess: by every process, told in headers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connections
from django.test import Client

from queue_app import clock, keys
from tests.posts.admin.pages import browser, person

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"
WRONG = f"sq_0123456789ab_{'a' * 43}"


@pytest.fixture
def ada() -> User:
    return person("ada", ("queue_app.view_job",))


@pytest.fixture
def later() -> Iterator[Callable[[float], None]]:
    yield lambda seconds: clock.set_offset(timedelta(seconds=seconds))
    clock.set_offset(timedelta(0))


def key_of(user: User, **fields: Any) -> str:
    return keys.create_key(user, **{"name": "Script", "scopes": ["read"], **fields})[1]


CLIENT = Client()


def ask(secret: str, address: str = HERE, **headers: str) -> Any:
    """Ask as another process would: nothing is remembered in this one."""
    cache.clear()
    headers = {"Authorization": f"Bearer {secret}", **headers}
    return CLIENT.get("/api/queue/status", headers=headers, REMOTE_ADDR=address)


@pytest.mark.django_db
def test_a_key_may_ask_so_often_in_a_minute(ada: User, settings: Any, later: Callable[[float], None]) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "API_REQUESTS_PER_MINUTE": 3}
    secret, other = key_of(ada), key_of(ada)
    answers = [ask(secret, address) for address in (HERE, ELSEWHERE, HERE, ELSEWHERE)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"requests";q=3;w=60'
    assert [answer.headers["RateLimit"].partition(";t")[0] for answer in answers] == [
        '"requests";r=2',
        '"requests";r=1',
        '"requests";r=0',
        '"requests";r=0',
    ]
    refused = answers[3]
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.json()["status"] == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert ask(other).status_code == browser(ada).get("/api/queue/status").status_code == 200
    later(61)
    assert ask(secret).status_code == 200


@pytest.mark.django_db
def test_refusals_count_and_tell_what_is_left_too(ada: User, settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "API_REQUESTS_PER_MINUTE": 2}
    secret = key_of(ada, scopes=["write"])
    assert [ask(secret).status_code for _each in range(3)] == [403, 403, 429]


@pytest.mark.django_db(transaction=True)
def test_of_a_thousand_wrong_keys_ten_are_looked_at_by_all_processes_together(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = key_of(ada)
    looked_at: list[str] = []
    find = keys.find_key
    monkeypatch.setattr(keys, "find_key", lambda header: looked_at.append(header) or find(header))
    statuses, began_at = [], clock.now()
    for n in range(1000):
        if n % 5 == 0:
            connections.close_all()  # another process's turn
        statuses.append(ask(f"sq_{n:012x}_{'a' * 43}").status_code)
    assert statuses == [401] * 10 + [429] * 990
    assert len(looked_at) == 10
    refused = ask(secret)
    assert refused.status_code == 429  # although it is the right one
    gone_seconds = (clock.now() - began_at).total_seconds()  # the tenth guess came after that began
    assert 900 - gone_seconds <= int(refused.headers["Retry-After"]) <= 900
    assert ask(secret, ELSEWHERE).status_code == 200


@pytest.mark.django_db
@pytest.mark.one_database
@pytest.mark.parametrize("wrong", ["x", "sq_", f"{WRONG}x", WRONG, "\N{LATIN SMALL LETTER E WITH ACUTE}"])
def test_whatever_is_no_key_is_a_guess(settings: Any, ada: User, wrong: str) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "API_WRONG_KEYS": 2}
    assert [ask(wrong).status_code for _each in range(3)] == [401, 401, 429]


@pytest.mark.django_db
@pytest.mark.one_database
def test_the_beginning_of_a_key_does_not_make_a_guess_less_of_one(settings: Any, ada: User) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "API_WRONG_KEYS": 1}
    assert ask(key_of(ada)[:16] + "a" * 43).status_code == 401
    assert ask(WRONG).status_code == 429


@pytest.mark.django_db
@pytest.mark.one_database
def test_a_made_up_header_makes_nobody_somebody_else(settings: Any, ada: User) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "API_WRONG_KEYS": 1}
    ask(WRONG, **{"X-Forwarded-For": "198.51.100.1"})
    assert ask(WRONG, **{"X-Forwarded-For": "198.51.100.2"}).status_code == 429


@pytest.mark.django_db
@pytest.mark.one_database
def test_an_old_key_no_key_and_another_login_are_no_guesses(settings: Any, ada: User) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "API_WRONG_KEYS": 1}
    key, secret = keys.create_key(ada, name="Old", scopes=["read"])
    keys.revoke_key(key)
    assert [ask(secret).status_code for _each in range(3)] == [401, 401, 401]
    without = [{}, {"Authorization": "Basic YTpi"}, {"Authorization": "Digest x"}]
    asked = [CLIENT.get("/api/queue/status", REMOTE_ADDR=HERE, headers=headers) for headers in without]
    assert [answer.status_code for answer in asked] == [401, 401, 401]
    assert ask(key_of(ada)).status_code == 200
