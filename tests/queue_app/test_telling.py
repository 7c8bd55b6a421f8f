"""Telling people: who, once each, what may be seen, when it is over, and what becomes of what cannot be sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core import mail
from django.test import override_settings

from queue_app import alerts, api, clock, telling
from queue_app.channels import Message, NotSent, channels, register_channel
from queue_app.choices import choose
from queue_app.models import Job, Notice, NoticeDelivery
from queue_app.notices import Concern
from queue_app.outcomes import Fail, Failure
from tests.queue_app.jobs import Later, Register, Run

pytestmark = pytest.mark.django_db(transaction=True)

SEE_ALL = "auth.view_group"


class Pager:
    """A channel that keeps what it is given, and fails for whom it is told to."""

    name, label, address_label, address_help = "pager", "Pager", "Number", ""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.fails_for: set[str] = set()

    def known_address(self, user: User) -> str:
        return user.username

    def send(self, user: User, message: Message) -> None:
        if user.username in self.fails_for:
            raise NotSent("nobody answers")
        self.sent.append((user.username, message.subject))


@pytest.fixture
def pager(monkeypatch: pytest.MonkeyPatch) -> Pager:
    monkeypatch.setattr("queue_app.channels._channels", dict(channels()))
    found = Pager()
    register_channel(found)
    return found


def person(name: str, *may: str, chosen: dict[str, Sequence[str]] | None = None, **fields: Any) -> User:
    made = User.objects.create_user(name, f"{name}@example.org", **fields)
    for permission in may:
        app, codename = permission.split(".")
        made.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    if chosen is not None:
        choose(made, chosen)
    return made


def fail_one(register: Register, run: Run, owner: User | None, times: int = 1) -> None:
    """Let jobs fail that belong to ``owner``; others need SEE_ALL to know of it."""
    concern = Concern(owner.pk if owner else None, SEE_ALL, "/a/page/")
    name = register(
        lambda context: Fail(Failure("Broken", "it broke")), describe=lambda job: "A post", concerns=lambda job: concern
    )
    for _ in range(times):
        api.enqueue(name)
    while Job.objects.filter(type=name, state="pending").exists():
        run()  # which takes a second at most


def told() -> list[tuple[str, str]]:
    """Return who was mailed what, and forget it."""
    found = [(message.to[0], message.subject.partition("] ")[2]) for message in mail.outbox]
    mail.outbox.clear()
    return sorted(found)


def test_an_owner_with_no_choice_is_told_of_failures_and_others_are_not(
    register: Register, run: Run, later: Later
) -> None:
    ada = person("ada")
    person("eve", SEE_ALL)
    fail_one(register, run, ada, times=3)
    later(11)
    run()
    body = mail.outbox[0].body
    assert told() == [("ada@example.org", "A post: failed (and 2 more)")]
    assert "it broke" in body
    assert "/a/page/" in body
    assert "/admin/queue_app/notice/mine/" in body


def test_a_choice_decides_what_is_told_and_by_what(pager: Pager, register: Register, run: Run, later: Later) -> None:
    ada = person("ada", chosen={"mail": [], "pager": ["failed"]})
    person("bob", SEE_ALL, chosen={"mail": ["failed"], "pager": ["needs_review"]})
    fail_one(register, run, ada)
    later(11)
    run()
    assert told() == [("bob@example.org", "A post: failed")]
    assert pager.sent == [("ada", "A post: failed")]


@pytest.mark.parametrize("of_ada", [True, False])
def test_nobody_is_told_of_what_they_may_not_see(register: Register, run: Run, later: Later, of_ada: bool) -> None:
    ada = person("ada")
    person("eve", "queue_app.view_job", chosen={"mail": ["failed"]})
    person("gone", SEE_ALL, chosen={"mail": ["failed"]}, is_active=False)
    fail_one(register, run, ada if of_ada else None)
    later(11)
    run()
    assert told() == ([("ada@example.org", "A post: failed")] if of_ada else [])


def test_a_permission_that_was_taken_meanwhile_counts(register: Register, run: Run, later: Later) -> None:
    bob = person("bob", SEE_ALL, chosen={"mail": ["failed"]})
    fail_one(register, run, person("ada"))
    telling.address_new(clock.now())
    bob.user_permissions.clear()
    later(11)
    run()
    assert told() == [("ada@example.org", "A post: failed")]


def test_no_mailbox_is_told_twice(register: Register, run: Run, later: Later) -> None:
    person("second", SEE_ALL, chosen={"mail": ["failed"]})
    person("third", SEE_ALL, chosen={"mail": ["failed"]})
    User.objects.filter(username="third").update(email="Second@example.org")
    with override_settings(ADMINS=[("Ada", "Ada@Example.org")]):
        fail_one(register, run, person("ada"))
        later(11)
        run()
    assert told() == [("Ada@Example.org", "A post: failed"), ("second@example.org", "A post: failed")]


def test_who_was_told_that_it_began_is_told_that_it_is_over(pager: Pager, run: Run, later: Later) -> None:
    ada = person("ada", chosen={"mail": ["no_worker"], "pager": ["no_worker"]}, is_superuser=True)
    alerts.tell("no_worker", "The queue", "Nothing is published.")
    later(11)
    run()
    assert told() == [("ada@example.org", "The queue: no worker is running")]
    person("late", chosen={"mail": ["no_worker"]}, is_superuser=True)
    choose(ada, {"mail": []})
    later(600)
    alerts.over("no_worker", "The queue")
    later(11)
    run()
    assert "It lasted for 10 minutes." in mail.outbox[0].body
    assert told() == [("ada@example.org", "The queue: a worker is running again")]
    assert [subject for _who, subject in pager.sent] == [
        "The queue: no worker is running",
        "The queue: a worker is running again",
    ]
    alerts.over("no_worker", "The queue")
    later(11)
    run()
    assert told() == []


def test_what_is_over_before_it_was_told_is_not_told_at_all(run: Run, later: Later) -> None:
    with override_settings(ADMINS=[("Ada", "ada@example.org")]):
        alerts.tell("no_worker", "The queue", "Nothing is published.")
        alerts.over("no_worker", "The queue")
        later(11)
        run()
    assert told() == []


def test_a_dead_channel_stops_no_other_and_a_retry_doubles_nothing(
    pager: Pager, register: Register, run: Run, later: Later
) -> None:
    pager.fails_for = {"ada"}
    ada = person("ada", chosen={"mail": ["failed"], "pager": ["failed"]})
    person("bob", SEE_ALL, chosen={"pager": ["failed"]})
    fail_one(register, run, ada)
    later(11)
    run()
    assert told() == [("ada@example.org", "A post: failed")]
    assert pager.sent == [("bob", "A post: failed")]
    assert telling.last_error("pager", ada.pk) == "nobody answers"
    pager.fails_for = set()
    later(60)
    run()
    assert told() == []
    assert pager.sent == [("bob", "A post: failed"), ("ada", "A post: failed")]
    assert telling.last_error("pager", ada.pk) == ""


def test_who_was_never_told_that_it_began_is_not_told_that_it_is_over(pager: Pager, run: Run, later: Later) -> None:
    pager.fails_for = {"ada"}
    person("ada", chosen={"mail": ["no_worker"], "pager": ["no_worker"]}, is_superuser=True)
    alerts.tell("no_worker", "The queue", "Nothing is published.")
    later(11)
    run()
    pager.fails_for = set()
    alerts.over("no_worker", "The queue")
    later(600)
    run()
    assert [subject for _to, subject in told()] == [
        "The queue: a worker is running again",
        "The queue: no worker is running",
    ]
    assert pager.sent == []


def test_what_is_over_while_it_is_being_sent_is_told_after_it(pager: Pager, run: Run, later: Later) -> None:
    class Slow(Pager):
        def send(self, user: User, message: Message) -> None:
            super().send(user, message)
            alerts.over("no_worker", "The queue")
            later(11)
            telling.send_soon(clock.now())

    slow = Slow()
    register_channel(slow)
    person("ada", chosen={"pager": ["no_worker"]}, is_superuser=True)
    alerts.tell("no_worker", "The queue", "Nothing is published.")
    later(11)
    run()
    later(11)
    run()
    assert [subject for _who, subject in slow.sent] == [
        "The queue: no worker is running",
        "The queue: a worker is running again",
    ]


def test_two_processes_that_send_at_the_same_time_send_once(pager: Pager, run: Run, later: Later) -> None:
    class Twice(Pager):
        def send(self, user: User, message: Message) -> None:
            assert telling.deliver("pager", user.pk) == 0
            super().send(user, message)

    twice = Twice()
    register_channel(twice)
    person("ada", chosen={"pager": ["no_worker"]}, is_superuser=True)
    alerts.tell("no_worker", "The queue", "Nothing is published.")
    telling.send_now()
    assert len(twice.sent) == 1
    assert NoticeDelivery.objects.get().taken_until is None


def test_after_a_day_nothing_is_tried_any_more(pager: Pager, run: Run, later: Later) -> None:
    pager.fails_for = {"ada"}
    person("ada", chosen={"pager": ["no_worker"]}, is_superuser=True)
    alerts.tell("no_worker", "The queue", "Nothing is published.")
    telling.send_now()
    pager.fails_for = set()
    later(timedelta(days=1, minutes=1).total_seconds())
    telling.send_now()
    assert pager.sent == []


def test_hostile_names_and_texts_stay_one_line_in_a_subject(run: Run, later: Later) -> None:
    with override_settings(ADMINS=[("Ada", "ada@example.org")]):
        alerts.tell("reconnect", "Ada\r\nBcc: eve@example.org\r\n\r\n<b>", "<script>alert(1)</script>")
        later(11)
        run()
    (message,) = mail.outbox
    assert message.subject.endswith("Ada Bcc: eve@example.org <b>: must be reconnected")
    assert message.recipients() == ["ada@example.org"]


def test_an_address_that_is_none_fails_without_stopping_others(register: Register, run: Run, later: Later) -> None:
    bob = person("bob", SEE_ALL, chosen={"mail": ["failed"]})
    User.objects.filter(pk=bob.pk).update(email="bob@example.org\nBcc: eve@example.org")
    fail_one(register, run, person("ada"))
    later(11)
    run()
    run()  # the first mail of a process looks up its host's name, which may take longer than a turn
    assert told() == [("ada@example.org", "A post: failed")]
    assert telling.last_error("mail", bob.pk) in ("mail failed: BadHeaderError", "mail failed: ValueError")


def test_notices_of_before_people_were_told_by_name_are_not_told_again(run: Run, later: Later) -> None:
    Notice.objects.create(kind="no_worker", subject="Old", created_at=clock.now(), sent_at=clock.now())
    with override_settings(ADMINS=[("Ada", "ada@example.org")]):
        alerts.over("no_worker", "Old")
        later(11)
        run()
    assert told() == []
    assert not NoticeDelivery.objects.exists()


def test_a_message_of_very_many_names_the_first_fifty(register: Register, run: Run, later: Later) -> None:
    fail_one(register, run, person("ada"), times=53)
    later(11)
    telling.send_now()
    body = mail.outbox[0].body
    assert (body.count("it broke"), "... and 3 more." in body) == (50, True)
    assert told() == [("ada@example.org", "A post: failed (and 52 more)")]
    assert Notice.objects.filter(sent_at=None).count() == 0


def test_what_a_worker_that_was_killed_had_taken_to_send_is_sent_by_another(
    pager: Pager, run: Run, later: Later
) -> None:
    ada = person("ada", chosen={"pager": ["no_worker"]}, is_superuser=True)
    alerts.tell("no_worker", "The queue", "Nothing is published.")
    later(11)
    telling.send_soon(clock.now())
    assert telling._take("pager", ada.pk, clock.now())  # as a process does that is killed right then
    run()
    assert pager.sent == []
    later(telling.TAKEN_FOR.total_seconds() + 12)
    run()
    assert [name for name, _subject in pager.sent] == ["ada"]


def test_very_many_notices_are_addressed_a_few_at_a_time(pager: Pager, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = person("ada")
    notices = [
        Notice(kind="failed", subject=str(number), created_at=clock.now(), owner=ada, permission=SEE_ALL)
        for number in range(7)
    ]
    Notice.objects.bulk_create(notices)
    monkeypatch.setattr(telling, "BATCH", 3)
    lengths: list[int] = []
    of = telling.Recipients.__init__
    monkeypatch.setattr(
        telling.Recipients, "__init__", lambda self, new: (lengths.append(len(list(new))), of(self, new))[1]
    )
    assert telling.address_new(clock.now()) == [("mail", ada.pk)]
    assert (lengths, NoticeDelivery.objects.count()) == ([3, 3, 1], 7)
