"""Telling people: one mail for one incident, and the incident that nobody is working."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.db.models import QuerySet
from django.test import override_settings

from queue_app import alerts, api, clock, jobs, workers
from queue_app.models import Notice
from queue_app.outcomes import Fail, Failure, Outcome
from tests.queue_app.jobs import Later, Register, Run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("admins")]


def open_notices() -> QuerySet[Notice]:
    return Notice.objects.filter(cleared_at=None, job=None)


@pytest.fixture
def admins() -> object:
    with override_settings(ADMINS=[("Ada", "ada@example.org")]):
        yield


def test_failures_of_the_same_moment_go_in_one_mail(register: Register, run: Run, later: Later) -> None:
    name = register(lambda context: Fail(Failure("Broken", "it broke\nbadly")), describe=lambda job: "A post\non X")
    for _ in range(3):
        api.enqueue(name)
    run()
    assert mail.outbox == []
    later(11)
    run()
    assert len(mail.outbox) == 1
    assert mail.outbox[0].subject.endswith("A post on X: failed (and 2 more)")
    assert mail.outbox[0].body.count("it broke") == 3
    assert "/admin/queue_app/job/" in mail.outbox[0].body
    later(100)
    run()
    assert len(mail.outbox) == 1


def test_an_incident_is_told_once_until_it_is_over(run: Run, later: Later) -> None:
    assert alerts.tell("reconnect", "Ada on X", "access was revoked")
    assert not alerts.tell("reconnect", "Ada on X", "access was revoked")
    later(11)
    run()
    assert [message.subject for message in mail.outbox] == ["[Django] Ada on X: must be reconnected"]
    assert mail.outbox[0].body.count("access was revoked") == 1
    assert f"/admin/queue_app/notice/{open_notices().get().pk}/change/" in mail.outbox[0].body
    assert open_notices().get().text == "access was revoked"
    alerts.over("reconnect", "Ada on X")
    assert not open_notices().exists()
    assert alerts.tell("reconnect", "Ada on X", "again")


def test_an_incident_with_a_key_is_the_same_whatever_it_is_called(run: Run, later: Later) -> None:
    assert alerts.tell("reconnect", "Ada on X", "access was revoked", key="account:7")
    assert not alerts.tell("reconnect", "Ada King on X", "access was revoked", key="account:7")
    assert alerts.tell("reconnect", "Ada on X", "access was revoked", key="account:8")
    later(11)
    run()
    alerts.over("reconnect", "Ada King on X", key="account:7")
    assert [notice.key for notice in open_notices()] == ["account:8"]
    later(11)
    run()
    assert "Ada on X: needs no reconnecting any more" in mail.outbox[1].body + mail.outbox[1].subject


def test_an_incident_that_the_release_before_opened_is_found_by_its_subject() -> None:
    Notice.objects.create(kind="reconnect", subject="Ada on X", created_at=clock.now())
    assert not alerts.tell("reconnect", "Ada on X", "again", key="account:7")
    alerts.over("reconnect", "Ada on X", key="account:7")
    assert not open_notices().exists()


def test_no_worker_for_a_minute_is_mailed_once_and_closed_when_one_is_back(later: Later) -> None:
    since = alerts.check_workers(None)
    assert since is not None
    later(59)
    assert alerts.check_workers(since) == since
    assert mail.outbox == []
    later(2)
    alerts.check_workers(since)
    alerts.check_workers(since)
    assert [message.subject for message in mail.outbox] == ["[Django] The queue: no worker is running"]
    workers.register("c", {"default": 1})
    assert alerts.check_workers(since) is None
    assert not open_notices().exists()


def test_housekeeping_that_fails_for_good_is_told_once_until_it_succeeds(
    register: Register, run: Run, later: Later
) -> None:
    answers: list[Outcome | None] = [
        Fail(Failure("Broken", "the disk is full")),
        Fail(Failure("Broken", "again")),
        None,
    ]
    name = register(lambda context: answers.pop(0), every_seconds=3600, internal=True)
    jobs.schedule_housekeeping()
    for _ in range(2):
        run()
        later(11)
        run()
        later(3600)
    assert [message.subject for message in mail.outbox] == [f"[Django] {name}: failed"]
    assert "the disk is full" in mail.outbox[0].body
    assert open_notices().count() == 1
    run()
    assert not answers
    assert not open_notices().exists()


def test_a_mail_server_that_is_away_is_tried_again(register: Register, run: Run, later: Later) -> None:
    alerts.tell("reconnect", "Ada on X", "access was revoked")
    later(11)
    with override_settings(EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend", EMAIL_PORT=9):
        run()
    assert Notice.objects.get().sent_at is None
    later(3600)
    run()
    assert len(mail.outbox) == 1
    assert Notice.objects.get().sent_at is not None
    assert clock.now() - Notice.objects.get().sent_at < timedelta(minutes=1)
