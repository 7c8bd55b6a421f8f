"""What Telegram sends to a bot that feeds posts: believed by its secret alone, heard once, from known senders."""

from __future__ import annotations

import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from posts.models import MessageState, TelegramMessage, TelegramSource
from posts.services import telegram_intake, telegram_sources
from queue_app import clock
from queue_app.models import Job
from tests.posts.feeding import photo, send, source, update
from tests.posts.platforms.fake_bot_api import CHANNEL, GROUP, PERSON

pytestmark = pytest.mark.django_db


def waiting() -> list[str]:
    return sorted(Job.objects.filter(state="pending").values_list("type", flat=True))


def messages() -> list[tuple[str, str]]:
    return list(TelegramMessage.objects.order_by("pk").values_list("state", "reason"))


def test_a_message_is_written_down_with_its_job_and_twice_does_nothing() -> None:
    bot, said = source(), update(text="Hello 👍")
    assert [send(bot, said) for _ in range(3)] == [200, 200, 200]
    row = TelegramMessage.objects.get()
    assert (row.state, row.content["text"], row.chat_id) == (MessageState.WAITING, "Hello 👍", PERSON)
    assert waiting() == [telegram_intake.TAKE_IN]
    bot.refresh_from_db()
    assert bot.last_heard_at is not None


def test_message_and_job_stand_or_fall_together(monkeypatch: pytest.MonkeyPatch) -> None:
    bot = source()

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("no room")

    monkeypatch.setattr(telegram_intake.api, "enqueue", broken)
    with pytest.raises(RuntimeError):
        send(bot, update(text="Hello"))
    assert not TelegramMessage.objects.exists()


def test_nobody_is_believed_without_the_secret_and_learns_whether_there_is_such_an_address() -> None:
    bot, said = source(), update(text="Hello")
    assert {send(bot, said, secret=wrong) for wrong in ("", "guessed", telegram_sources.secret_of(bot)[:-1])} == {403}
    assert send(bot, said, address="guessed") == 403
    assert send(bot, said, address="x" * 300, secret="") == 403
    assert not TelegramMessage.objects.exists()


def test_the_secret_is_compared_in_constant_time_even_where_there_is_no_source(monkeypatch: pytest.MonkeyPatch) -> None:
    bot, compared = source(), []
    compare = hmac.compare_digest

    def counted(left: str, right: str) -> bool:
        compared.append((len(left), len(right)))
        return compare(left, right)

    monkeypatch.setattr(telegram_sources.hmac, "compare_digest", counted)
    send(bot, update(text="x"), secret="short")
    send(bot, update(text="x"), address="nowhere")
    assert compared == [(64, 64), (64, 64)]


def test_a_secret_that_was_renewed_is_not_believed_any_more() -> None:
    bot = source()
    secret, address = telegram_sources.secret_of(bot), telegram_sources.address_of(bot).rpartition("/")[2]
    telegram_sources.renew_address(bot)
    assert send(bot, update(text="x"), secret=secret, address=address) == 403
    assert send(bot, update(text="x"), secret=secret) == 403
    assert send(bot, update(text="x")) == 200


@pytest.mark.parametrize("days", [-3, 3])
def test_what_is_far_older_than_telegram_keeps_anything_is_a_replay(days: int) -> None:
    bot = source()
    at = int((clock.now() + timedelta(days=days)).timestamp())
    assert send(bot, update(text="Hello", date=at)) == 403
    assert not TelegramMessage.objects.exists()


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b"[" * 50_000, b'{"update_id": 1, "message": 7}', b"\xff"])
def test_what_is_no_update_is_refused(body: bytes) -> None:
    assert send(source(), body) == 400


def test_a_body_beyond_the_bound_is_refused_unread() -> None:
    assert send(source(), json.dumps(update(text="x" * 300_000)).encode()) == 400
    said_length = Client().post("/hooks/telegram/x", b"{}", content_type="application/json", CONTENT_LENGTH="9" * 5000)
    assert said_length.status_code == 400


def test_who_may_not_feed_it_is_named_to_its_owner_and_nothing_else_is_kept() -> None:
    bot = source(senders=[])
    group = {"id": GROUP, "type": "group", "title": "Friends"}
    for stranger in ({"id": 9, "first_name": "Eve"}, {"id": 10, "first_name": "Mallory"}):
        assert send(bot, update(text="Buy this", chat=group, **{"from": stranger})) == 200
    assert not TelegramMessage.objects.exists()
    bot.refresh_from_db()
    assert bot.last_stranger == {"id": GROUP, "name": "Friends"}
    assert waiting() == []


def test_a_chat_or_a_person_may_be_let_in() -> None:
    bot = source(senders=[CHANNEL, PERSON])
    group = {"id": GROUP, "type": "group", "title": "Friends"}
    assert send(bot, update(text="by person", chat=group)) == 200
    assert send(bot, update(text="by someone else", chat=group, **{"from": {"id": 9}})) == 200
    assert send(bot, update(kind="channel_post", text="by channel", chat={"id": CHANNEL, "type": "channel"})) == 200
    texts = [row.content["text"] for row in TelegramMessage.objects.order_by("pk")]
    assert texts == ["by person", "by channel"]


def test_a_source_that_is_switched_off_takes_nothing() -> None:
    bot = source(enabled=False)
    assert send(bot, update(text="Hello")) == 200
    assert not TelegramMessage.objects.exists()


def test_what_is_no_post_is_kept_with_its_reason_and_answered_where_somebody_waits() -> None:
    bot = source()
    start = {"text": "/start", "entities": [{"type": "bot_command", "offset": 0, "length": 6}]}
    for said in (update(kind="edited_message", text="better"), update(new_chat_members=[]), update(**start)):
        assert send(bot, said) == 200
    assert [state for state, _reason in messages()] == ["refused"] * 3
    assert [reason.split()[-1] for _state, reason in messages()] == ["is", "file", "bot"]
    assert waiting() == [telegram_intake.ANSWER]  # of the command alone
    assert send(bot, update(voice={"file_id": "v"})) == 200
    assert waiting() == [telegram_intake.ANSWER] * 2
    assert TelegramMessage.objects.latest("pk").answer.startswith("Not taken: a voice cannot be posted")


def test_each_part_of_an_album_waits_a_moment_for_the_rest() -> None:
    bot = source()
    for number in range(3):
        assert send(bot, photo(f"cat{number}", media_group_id="album1")) == 200
    assert len(set(TelegramMessage.objects.values_list("group_key", flat=True))) == 1
    assert Job.objects.filter(run_at__gt=clock.now() + timedelta(seconds=1)).count() == 3


def test_another_bots_messages_may_have_the_same_numbers() -> None:
    said = update(text="Hello")
    first = source()
    second = TelegramSource(owner=first.owner, name="Other", senders=[PERSON], timezone="UTC")
    telegram_sources.save_source(second, token="77:AAother")
    assert (send(first, said), send(second, said)) == (200, 200)
    assert TelegramMessage.objects.count() == 2
