"""What is counted under a bound: by whom, for how long, by how many at once, and what programs are told of it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User

from queue_app import clock, database, keys, purge, throttle
from queue_app.models import Tally
from queue_app.throttle import Bound

FEW = Bound("few", 3, 60)
LOCK = Bound("lock", 3, 60, locks=True)

Later = Callable[[float], None]


def takes(bound: Bound, times: int, key: str = "k") -> list[bool]:
    return [not throttle.take(key, bound).refused for _each in range(times)]


@pytest.mark.django_db
def test_so_many_are_let_through_in_a_window_and_then_again(later: Later) -> None:
    assert takes(FEW, 5) == [True, True, True, False, False]
    later(59)
    assert takes(FEW, 1) == [False]
    later(2)
    assert takes(FEW, 4) == [True, True, True, False]


@pytest.mark.django_db
def test_keys_are_counted_apart_in_one_row_each() -> None:
    assert takes(FEW, 9, "one").count(True) == takes(FEW, 9, "two").count(True) == 3
    assert dict(Tally.objects.values_list("key", "used")) == {"one": 3, "two": 3}


@pytest.mark.django_db
def test_what_is_left_and_when_the_window_ends_is_told(later: Later) -> None:
    first = throttle.take("k", FEW)
    assert dict(first.headers) == {"RateLimit-Policy": '"few";q=3;w=60', "RateLimit": '"few";r=2;t=60'}
    later(20)
    takes(FEW, 2)
    refused = throttle.take("k", FEW)
    assert (refused.refused, refused.left) == (True, 0)
    assert refused.headers["Retry-After"] == str(refused.seconds)
    assert 38 <= refused.seconds <= 40


@pytest.mark.django_db
def test_a_lock_lasts_a_whole_window_from_the_last_use_that_was_counted(later: Later) -> None:
    takes(LOCK, 2)
    later(50)
    assert takes(LOCK, 2) == [True, False]
    later(59)
    assert takes(LOCK, 1) == [False]
    later(2)
    assert takes(LOCK, 1) == [True]


@pytest.mark.django_db
def test_a_use_is_one_statement_and_one_that_is_refused_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    throttle.take("k", FEW)
    sent: list[str] = []
    run = throttle.run
    monkeypatch.setattr(throttle, "run", lambda sql, params: sent.append(sql) or run(sql, params))
    with django_assert_num_queries(0):  # of Django's own
        takes(FEW, 2)
    assert len(sent) == 2
    before = list(Tally.objects.values())
    assert takes(FEW, 1) == [False]
    assert list(Tally.objects.values()) == before


@pytest.mark.django_db(transaction=True)
def test_many_at_once_get_no_more_than_the_bound() -> None:
    """Each thread has a connection of its own, as each process has."""

    def work(_number: int) -> int:
        try:
            return takes(Bound("many", 25, 60), 20).count(True)
        finally:
            database.abandon()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(4))) == 25


@pytest.mark.django_db
def test_who_guesses_is_shut_out_and_nobody_else(settings: Any, later: Later) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "API_WRONG_KEYS": 2}
    assert throttle.shut_out("192.0.2.1") is None
    throttle.count_wrong_key("192.0.2.1")
    assert throttle.shut_out("192.0.2.1") is None
    throttle.count_wrong_key("192.0.2.1")
    found = throttle.shut_out("192.0.2.1")
    assert found is not None
    assert found.headers["Retry-After"] == "900"
    assert throttle.shut_out("192.0.2.2") is None
    later(901)
    assert throttle.shut_out("192.0.2.1") is None


@pytest.mark.django_db
def test_requests_are_counted_by_key(settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "API_REQUESTS_PER_MINUTE": 2}
    ada = User.objects.create_user("ada")
    one, two = (keys.create_key(ada, name=name, scopes=["read"])[0] for name in "ab")
    assert [throttle.count_request(one).refused for _each in range(3)] == [False, False, True]
    assert not throttle.count_request(two).refused


@pytest.mark.django_db
def test_the_purge_takes_what_is_over_and_leaves_the_rest(later: Later) -> None:
    takes(FEW, 1, "old")
    later(61)
    takes(FEW, 1, "new")
    purge.purge_by_settings()
    assert list(Tally.objects.values_list("key", flat=True)) == ["new"]
    assert throttle.forget(clock.now()) == 0
