"""The built-in network: each row of the error table, keys and no keys, and its own log as the oracle."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from django.db import connection, transaction

from posts.models import Account, OutboxArrival, OutboxPost
from posts.outbox.network import FAILURES, look_up, receive
from posts.outbox.platform import OutboxPlatform
from posts.publishing import errors, registry, words
from posts.publishing.platform import Session
from posts.publishing.types import Absent, CannotTell, Content, Found, Json, MediaFile
from posts.services.accounts import connect_account, session_for
from posts.services.errors import Refused, ServiceError
from posts.services.outbox import set_outbox_failure
from tests.posts.platforms.contract import MemoryCheckpoints

pytestmark = pytest.mark.django_db(transaction=True)

AT = datetime(2026, 5, 4, 12, tzinfo=UTC)
PLATFORM = OutboxPlatform()


def mailbox(name: str = "Ada", **answers: str) -> Account:
    return connect_account("outbox", {"name": name, **answers})


def prepared(session: Session, text: str = "Hello", *media: MediaFile) -> Json:
    return PLATFORM.prepare(session, Content("k" * 32, AT, text, media=media), MemoryCheckpoints())


def send(account: Account, text: str = "Hello") -> Any:
    session = session_for(Account.objects.get(pk=account.pk))
    return PLATFORM.commit(session, prepared(session, text))


def log() -> list[tuple[bool, str]]:
    return list(OutboxArrival.objects.order_by("pk").values_list("accepted", "answer"))


def test_is_a_platform_of_the_site() -> None:
    assert isinstance(registry.get("outbox"), OutboxPlatform)


def test_an_accepted_send_is_live_and_logged() -> None:
    published = send(mailbox(), "Hello Ada")
    post = OutboxPost.objects.get()
    assert (post.mailbox, post.key, post.text) == ("Ada", "k" * 32, "Hello Ada")
    assert (published.id, published.url) == (str(post.pk), f"http://127.0.0.1:8000/outbox/{post.pk}/")
    assert log() == [(True, "accepted")]
    assert OutboxArrival.objects.get().sender_key == "k" * 32


def test_a_repeat_is_answered_with_the_live_post() -> None:
    account = mailbox()
    assert PLATFORM.repeats_safely(account.config)
    assert send(account) == send(account)
    assert log() == [(True, "accepted"), (False, "repeat")]


def test_a_mailbox_without_keys_publishes_every_send() -> None:
    account = mailbox(keeps_keys="no")
    assert not PLATFORM.repeats_safely(account.config)
    assert send(account).id != send(account).id
    assert log() == [(True, "accepted")] * 2
    finding = PLATFORM.find(session_for(account), {"key": "k" * 32}, AT)
    assert finding == CannotTell("no_read_back")


def test_two_sends_at_once_with_one_key_make_one_post() -> None:
    mailbox()
    together = threading.Barrier(5)
    answers = []

    def one() -> None:
        together.wait(10)
        try:
            answers.append(receive("Ada", "key", "Hello", [], AT).post)
        finally:
            connection.close()

    threads = [threading.Thread(target=one) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(answers) == 5
    assert OutboxPost.objects.count() == 1
    assert sorted(log()) == [(False, "repeat")] * 4 + [(True, "accepted")]


def test_find_sees_what_is_live_and_what_is_not() -> None:
    account = mailbox()
    session = session_for(account)
    snapshot = prepared(session)
    assert PLATFORM.find(session, snapshot, AT) == Absent()
    published = PLATFORM.commit(session, snapshot)
    assert PLATFORM.find(session, snapshot, AT) == Found(published)


@pytest.mark.parametrize(
    ("failure", "expected", "arrived"),
    [
        ("unreachable", errors.Unreachable, []),
        ("temporary", errors.Temporary, [(False, "temporary")]),
        ("rate_limited", errors.RateLimited, [(False, "rate_limited")]),
        ("token_expired", errors.TokenExpired, [(False, "token_expired")]),
        ("reconnect_needed", errors.ReconnectNeeded, [(False, "reconnect_needed")]),
        ("content_rejected", errors.ContentRejected, [(False, "content_rejected")]),
        ("no_answer", errors.OutcomeUnknown, [(True, "no_answer")]),
        ("lost", errors.OutcomeUnknown, [(False, "lost")]),
        ("bug", RuntimeError, []),
        ("bug_before_sending", RuntimeError, []),
    ],
)
def test_fails_in_every_way_it_is_told_to(
    failure: str, expected: type[Exception], arrived: list[tuple[bool, str]]
) -> None:
    account = mailbox()
    set_outbox_failure(account, failure)
    with pytest.raises(expected) as raised:
        send(account)
    assert type(raised.value) is expected
    assert log() == arrived
    assert OutboxPost.objects.count() == sum(accepted for accepted, _ in arrived)
    if isinstance(raised.value, errors.PublishError):
        assert raised.value.code in words.WORDS


def test_every_failure_has_a_row_above() -> None:
    marker = test_fails_in_every_way_it_is_told_to.pytestmark[0]  # type: ignore[attr-defined]  # pytest's own attribute
    assert {row[0] for row in marker.args[1]} == set(FAILURES) - {""}


def test_fails_as_often_as_told_and_then_no_more() -> None:
    account = mailbox()
    set_outbox_failure(account, "temporary", 2)
    for _ in range(2):
        with pytest.raises(errors.Temporary):
            send(account)
    send(account)
    assert log() == [(False, "temporary")] * 2 + [(True, "accepted")]
    account.refresh_from_db()
    assert account.config["failures_left"] == 0


def test_the_failure_can_be_taken_back() -> None:
    account = mailbox()
    set_outbox_failure(account, "temporary")
    set_outbox_failure(account, "")
    send(account)


def test_says_how_long_to_wait() -> None:
    account = mailbox()
    set_outbox_failure(account, "rate_limited", wait_seconds=7)
    session = session_for(account)
    with pytest.raises(errors.RateLimited) as raised:
        PLATFORM.commit(session, prepared(session))
    assert 0 < (raised.value.until - session.now()).total_seconds() <= 7


def test_only_an_outbox_can_be_told_to_fail_and_only_in_known_ways() -> None:
    other = Account.objects.create(platform="telegram", name="News", identity_id="-1")
    with pytest.raises(Refused, match="News on Telegram is not an outbox account"):
        set_outbox_failure(other, "lost")
    with pytest.raises(Refused, match="in the way “explode”"):
        set_outbox_failure(mailbox(), "explode")
    with pytest.raises(Refused, match="once or more"):
        set_outbox_failure(mailbox(), "lost", 0)


def test_reconnecting_keeps_how_it_fails() -> None:
    set_outbox_failure(mailbox(keeps_keys="no"), "lost", 3)
    account = mailbox()
    assert (account.config["failure"], account.config["failures_left"]) == ("lost", 3)
    assert account.config["keeps_keys"] is False


def test_refuses_to_work_inside_the_senders_transaction() -> None:
    account = mailbox()
    session = session_for(account)
    snapshot = prepared(session)
    with pytest.raises(RuntimeError, match="inside a database transaction"), transaction.atomic():
        PLATFORM.commit(session, snapshot)
    assert log() == []


def test_what_it_accepted_outlives_the_senders_rollback() -> None:
    mailbox()
    transaction.set_autocommit(False)
    try:
        receive("Ada", "key", "Hello", [], AT)
        transaction.rollback()
    finally:
        transaction.set_autocommit(True)
    assert log() == [(True, "accepted")]


def test_what_it_accepted_stays_when_the_answer_is_lost(settings: Any) -> None:
    account = mailbox()
    session = session_for(account)
    snapshot = prepared(session)
    settings.SOCIALQ = {**settings.SOCIALQ, "FAILPOINTS": "after_accept=raise"}
    with pytest.raises(RuntimeError, match="after_accept"):
        PLATFORM.commit(session, snapshot)
    assert log() == [(True, "accepted")]
    assert isinstance(PLATFORM.find(session, snapshot, AT), Found)


def test_nothing_arrives_when_the_body_is_cut(settings: Any) -> None:
    session = session_for(mailbox())
    snapshot = prepared(session)
    settings.SOCIALQ = {**settings.SOCIALQ, "FAILPOINTS": "mid_body=raise"}
    with pytest.raises(RuntimeError, match="mid_body"):
        PLATFORM.commit(session, snapshot)
    assert log() == []
    assert look_up("Ada", snapshot["key"]) is None


def test_keeps_its_own_copy_of_a_picture_once() -> None:
    session = session_for(mailbox())
    first, second = (
        MediaFile(key, f"{key}.jpg", "image/jpeg", 4, 3, 7, f"Alt {key}", lambda: BytesIO(b"picture")) for key in "ab"
    )
    snapshot = prepared(session, "", first, second)
    published = PLATFORM.commit(session, snapshot)
    pictures = OutboxPost.objects.get(pk=published.id).pictures
    assert [picture["alt_text"] for picture in pictures] == ["Alt a", "Alt b"]
    assert pictures[0]["file"] == pictures[1]["file"]


def test_an_empty_post_and_a_deleted_mailbox_are_refused() -> None:
    account = mailbox()
    session = session_for(account)
    with pytest.raises(errors.ContentRejected, match="post_empty"):
        prepared(session, "  ")
    snapshot = prepared(session)
    account.delete()
    with pytest.raises(errors.ReconnectNeeded, match=r"outbox\.no_mailbox"):
        PLATFORM.commit(session, snapshot)


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"name": "x" * 101}, "more than 100 characters"),
        ({"name": "a\u202eb"}, "cannot be shown"),
        ({"name": " "}, "Outbox needs: Name"),
        ({"name": "Ada", "keeps_keys": "perhaps"}, "neither yes nor no"),
        ({"name": "Ada", "colour": "red"}, "no field “colour”"),
    ],
)
def test_connecting_refuses_what_it_does_not_understand(answers: dict[str, str], message: str) -> None:
    with pytest.raises(ServiceError, match=message):
        connect_account("outbox", answers)
    assert not Account.objects.exists()
