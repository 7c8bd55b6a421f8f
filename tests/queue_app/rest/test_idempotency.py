"""A request that is sent twice is done once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpResponse, JsonResponse
from django.test import RequestFactory

from queue_app import api, clock, purge
from queue_app.database import is_postgresql
from queue_app.failpoints import FailpointError
from queue_app.models import IdempotentAnswer, Job
from queue_app.rest.idempotency import KEPT, REPLAYED, once
from queue_app.rest.problems import Problem
from tests.queue_app.jobs import Register

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def name(register: Register) -> str:
    return register(lambda context: None)


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada")


def request(person: User, key: str | None = "k", body: bytes = b"{}", path: str = "/jobs") -> Any:
    headers = {"Idempotency-Key": key} if key is not None else {}
    made: Any = RequestFactory().generic("POST", path, body, content_type="application/json", headers=headers)
    made.person = person
    return made


def adding(name: str, status: int = 201) -> Any:
    """Return what adds a job and tells its id."""

    def run() -> HttpResponse:
        return JsonResponse({"id": api.enqueue(name).pk}, status=status, headers={"Location": "/jobs/1"})

    return run


def test_the_repeat_gets_the_first_answer_and_nothing_is_done(name: str, ada: User) -> None:
    first = once(request(ada), adding(name))
    again = once(request(ada), adding(name))
    assert (again.status_code, again.content, again["Location"]) == (201, first.content, "/jobs/1")  # type: ignore[attr-defined]
    assert (again[REPLAYED], first.has_header(REPLAYED)) == ("true", False)
    assert Job.objects.count() == 1


def test_another_key_another_person_and_no_key_are_other_requests(name: str, ada: User) -> None:
    for other in (request(ada), request(ada, "K"), request(User.objects.create_user("bob")), request(ada, None)):
        assert not once(other, adding(name)).has_header(REPLAYED)
    assert Job.objects.count() == 4


def test_the_same_key_with_another_request_is_refused(name: str, ada: User) -> None:
    once(request(ada), adding(name))
    for other in (request(ada, body=b"[]"), request(ada, path="/jobs?a=1")):
        with pytest.raises(Problem) as refused:
            once(other, adding(name))
        assert refused.value.status == 422
    assert Job.objects.count() == 1


@pytest.mark.parametrize("key", ["", "two words", "é", "x" * 201])
def test_a_key_is_visible_ascii(key: str, ada: User) -> None:
    with pytest.raises(Problem) as refused:
        once(request(ada, key), HttpResponse)
    assert refused.value.status == 400


def test_a_refusal_is_undone_and_not_kept(name: str, ada: User) -> None:
    assert once(request(ada), adding(name, 422)).status_code == 422
    assert (Job.objects.count(), IdempotentAnswer.objects.count()) == (0, 0)
    assert once(request(ada), adding(name)).status_code == 201


def test_a_crash_between_the_work_and_its_answer_leaves_neither(name: str, ada: User, settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "FAILPOINTS": "before_answer_kept=raise"}
    with pytest.raises(FailpointError):
        once(request(ada), adding(name))
    assert (Job.objects.count(), IdempotentAnswer.objects.count()) == (0, 0)
    settings.SOCIALQ = {**settings.SOCIALQ, "FAILPOINTS": ""}
    assert once(request(ada), adding(name)).status_code == 201


def test_after_a_day_a_key_is_free_again_and_the_purge_forgets_it(name: str, ada: User) -> None:
    once(request(ada), adding(name))
    IdempotentAnswer.objects.update(created_at=clock.now() - KEPT)
    assert not once(request(ada), adding(name)).has_header(REPLAYED)
    once(request(ada, "young"), adding(name))
    IdempotentAnswer.objects.filter(key="k").update(created_at=clock.now() - KEPT - timedelta(hours=1))
    purge.purge_by_settings()
    assert [answer.key for answer in IdempotentAnswer.objects.all()] == ["young"]


def test_of_two_at_once_one_does_it_and_the_other_gets_its_answer_or_is_told_to_wait(name: str, ada: User) -> None:
    begun, seen = threading.Event(), threading.Event()

    def slow() -> HttpResponse:
        begun.set()
        if is_postgresql():
            assert seen.wait(30)  # the repeat is answered while this one is still at it
        return adding(name)()  # type: ignore[no-any-return]

    def first() -> object:
        try:
            return once(request(ada), slow).status_code
        finally:
            connection.close()

    def repeat() -> object:
        try:
            assert begun.wait(30)
            return once(request(ada), adding(name))[REPLAYED]
        except Problem as refused:
            return int(refused.status)
        finally:
            seen.set()
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        answers = [threads.submit(first), threads.submit(repeat)]
        assert [each.result(60) for each in answers] == [201, 409 if is_postgresql() else "true"]
    assert Job.objects.count() == 1
