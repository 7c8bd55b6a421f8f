"""Messages to a bot become posts: files fetched, albums whole, by the rule, answered once, whatever fails between."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from posts.models import Delivery, Media, MessageState, Post, TelegramMessage, TelegramSource
from posts.services import telegram_intake
from queue_app import api, clock, runner
from queue_app.models import Job
from queue_app.states import JobState
from tests.posts.feeding import PRIVATE, photo, send, source, update
from tests.posts.making import account, user
from tests.posts.media.pictures import encoded, quarters
from tests.posts.platforms.fake_bot_api import CHANNEL, PERSON, TOKEN, FakeBotApi

pytestmark = pytest.mark.django_db(transaction=True)

PNG = encoded(quarters(), "PNG")
QUIET_SECONDS = telegram_intake.ALBUM_QUIET.total_seconds()


@pytest.fixture
def telegram(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBotApi]:
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.SOCIALQ = {**settings.SOCIALQ, "ALLOW_PRIVATE_NETWORKS": True, "SITE_URL": "https://q.example"}
    monkeypatch.setattr(runner, "_worker", None)
    with FakeBotApi() as fake:
        fake.files = {"cat": PNG, **{f"cat{number}": PNG for number in range(3)}}
        yield fake
    clock.set_offset(timedelta(0))


@pytest.fixture
def later() -> Any:
    passed = 0.0

    def move(seconds: float) -> None:
        nonlocal passed
        passed += seconds
        clock.set_offset(timedelta(seconds=passed))

    return move


def run() -> None:
    """Take in and answer what is due."""
    while runner.run_due("default", "tests"):
        pass


def answers(telegram: FakeBotApi) -> list[str]:
    return [entry["text"] for entry in telegram.accepted]


def job(kind: str = telegram_intake.TAKE_IN) -> Job:
    return Job.objects.filter(type=kind).latest("pk")


def test_a_message_becomes_a_draft_for_all_enabled_accounts_and_is_answered_once(telegram: FakeBotApi) -> None:
    ada, off, hers = account("Ada"), account("Off", enabled=False), account("Hers", owner=user("her"))
    bot = source(telegram.url)
    said = photo(caption="Our 👩‍👩‍👧 cat", caption_entities=[{"type": "bold", "offset": 0, "length": 3}])
    assert (send(bot, said), send(bot, said)) == (200, 200)
    run()
    post = Post.objects.get()
    assert (post.status, post.text, post.owner, post.timezone) == (
        "draft",
        "Our 👩‍👩‍👧 cat",
        bot.owner,
        "Europe/Vienna",
    )
    assert post.origin == f"telegram:{bot.pk}:message:{PERSON}:{said['message']['message_id']}"
    assert [found.account for found in post.deliveries.all()] == [ada]
    assert off.enabled is False
    assert hers.owner != bot.owner
    media = Media.objects.get()
    assert (media.kind, media.owner, media.is_in_library, media.original_name[:6]) == (
        "image",
        bot.owner,
        False,
        "photo-",
    )
    (answer,) = answers(telegram)
    assert answer == f"Kept as a draft:\n• Post {post.pk} – https://q.example/admin/posts/post/{post.pk}/change/"
    assert telegram.accepted[0]["asked"]["reply_parameters"]["message_id"] == said["message"]["message_id"]


def test_a_message_is_queued_to_one_platform_after_the_other_as_told(telegram: FakeBotApi) -> None:
    account("Ada"), account("Bea")
    away = account("News", "telegram", identity_id=str(CHANNEL), config={"chat_id": CHANNEL})
    bot = source(telegram.url, action="queue", start_delay_minutes=10, interval_minutes=30)
    send(bot, update(text="Hello"))
    before = clock.now()
    run()
    outbox, channel = Post.objects.order_by("pk")
    assert [post.origin.rpartition(":")[2] for post in (outbox, channel)] == ["outbox", "telegram"]
    assert outbox.deliveries.count() == 2
    assert channel.deliveries.get().account == away
    assert outbox.scheduled_at is not None
    assert channel.scheduled_at is not None
    assert timedelta(minutes=10) <= outbox.scheduled_at - before < timedelta(minutes=10, seconds=20)
    assert channel.scheduled_at - outbox.scheduled_at == timedelta(minutes=30)
    assert (outbox.status, outbox.timezone) == ("scheduled", "Europe/Vienna")
    (answer,) = answers(telegram)
    assert answer.startswith("Queued:\n• Outbox: ")
    assert "(Europe/Vienna) – https://q.example/admin/posts/post/" in answer
    assert "• Telegram: " in answer


def test_what_does_not_fit_on_one_platform_is_a_draft_there_with_the_reasons(telegram: FakeBotApi) -> None:
    account("Ada")
    account("Bsky", "bluesky", reconnect_reason="login_over")
    bot = source(telegram.url, action="queue", start_delay_minutes=9, platforms=["bluesky", "outbox", "x"])
    send(bot, update(text="Hello"))
    run()
    assert sorted(Post.objects.values_list("status", flat=True)) == ["draft", "draft", "scheduled"]
    (answer,) = answers(telegram)
    assert "• Outbox: " in answer
    assert "• Bluesky: Bsky on Bluesky must be reconnected first" in answer
    assert "• X: X has no enabled account; connect or enable one" in answer


def test_an_album_is_one_post_in_the_order_of_its_messages(telegram: FakeBotApi, later: Any) -> None:
    account("Ada")
    bot = source(telegram.url)
    parts = [
        photo(f"cat{number}", media_group_id="a1", caption=f"Part {number}" * (number != 1)) for number in range(3)
    ]
    for part in (parts[2], parts[0]):
        send(bot, part)
    later(QUIET_SECONDS - 1)
    send(bot, parts[1])
    later(1.1)
    run()
    assert not Post.objects.exists()  # the last part came a second ago
    later(QUIET_SECONDS)
    run()
    post = Post.objects.get()
    assert post.text == "Part 0\n\nPart 2"
    names = [found.media.original_name for found in post.post_media.order_by("position")]
    assert names == [f"photo-{part['message']['message_id']}.jpg" for part in parts]
    assert len(answers(telegram)) == 1
    assert sum("getFile" in path for path in telegram.paths()) == 3
    assert set(TelegramMessage.objects.values_list("state", flat=True)) == {"taken"}


def test_a_part_that_comes_while_the_others_are_fetched_is_in_the_same_post(
    telegram: FakeBotApi, later: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    account("Ada")
    bot = source(telegram.url)
    send(bot, photo("cat0", media_group_id="a1"))
    fetch, late = telegram_intake.fetch_file, [photo("cat1", media_group_id="a1")]

    def slow(part: TelegramMessage) -> None:
        fetch(part)
        if late:
            send(bot, late.pop())

    monkeypatch.setattr(telegram_intake, "fetch_file", slow)
    later(QUIET_SECONDS)
    run()
    assert not Post.objects.exists()
    later(QUIET_SECONDS)
    run()
    assert Post.objects.get().media.count() == 2
    assert Media.objects.count() == 2  # what was fetched was kept


def test_a_part_that_comes_too_late_is_a_draft_of_its_own(telegram: FakeBotApi, later: Any) -> None:
    account("Ada")
    bot = source(telegram.url, action="queue", start_delay_minutes=9)
    for file_id in ("cat0", "cat1"):
        send(bot, photo(file_id, media_group_id="a1"))
        later(QUIET_SECONDS)
        run()
    first, second = Post.objects.order_by("pk")
    assert (first.status, second.status) == ("scheduled", "draft")
    assert "it came after the rest of its album" in answers(telegram)[1]


def test_the_same_message_under_another_number_makes_no_second_post(telegram: FakeBotApi) -> None:
    account("Ada")
    bot, said = source(telegram.url), update(text="Hello")
    send(bot, said)
    run()
    send(bot, said | {"update_id": said["update_id"] + 1})
    run()
    assert Post.objects.count() == 1
    assert len(answers(telegram)) == 1


@pytest.mark.parametrize("place", ["after_fetch", "after_take_in"])
def test_a_worker_that_dies_in_between_makes_no_second_post(
    telegram: FakeBotApi, later: Any, place: str, settings: Any
) -> None:
    account("Ada")
    bot = source(telegram.url)
    send(bot, photo())
    unharmed = settings.SOCIALQ
    settings.SOCIALQ = {**unharmed, "FAILPOINTS": f"{place}=raise"}
    run()
    assert job().last_error == place
    settings.SOCIALQ = unharmed
    later(60)
    run()
    assert (Post.objects.count(), Media.objects.count(), len(answers(telegram))) == (1, 1, 1)


def test_a_file_that_no_bot_may_fetch_is_refused_with_the_reason(telegram: FakeBotApi) -> None:
    account("Ada")
    bot = source(telegram.url)
    send(bot, update(video={"file_id": "film", "file_size": 21 << 20}))
    telegram.files["huge"] = bytes((20 << 20) + 1)
    send(bot, update(video={"file_id": "huge"}))
    telegram.files["odd"] = b"MZ no picture"
    send(bot, photo("odd"))
    run()
    assert not Post.objects.exists()
    assert set(TelegramMessage.objects.values_list("state", flat=True)) == {"refused"}
    told = answers(telegram)
    assert ["20 MB" in text for text in told] == [True, True, False]
    assert all(text.startswith("Not taken: ") for text in told)
    bot.refresh_from_db()
    assert bot.last_error in told[2]


@pytest.mark.parametrize("people", [(), ("add_post",)])
def test_the_owners_permissions_bound_the_rule(telegram: FakeBotApi, people: tuple[str, ...]) -> None:
    account("Ada")
    bot = source(telegram.url, owner=user("grace", may=people), action="queue")
    send(bot, update(text="Hello"))
    run()
    (answer,) = answers(telegram)
    if people:
        assert Post.objects.get().status == "draft"
        assert "grace may not schedule posts" in answer
    else:
        assert not Post.objects.exists()
        assert answer.startswith("Not taken: grace may not write posts")


def test_an_owner_who_left_feeds_nothing(telegram: FakeBotApi) -> None:
    account("Ada")
    bot = source(telegram.url)
    User.objects.filter(pk=bot.owner_id).update(is_active=False)
    send(bot, update(text="Hello"))
    run()
    assert not Post.objects.exists()


def test_a_token_that_is_wrong_fails_the_job_until_it_is_mended(telegram: FakeBotApi) -> None:
    account("Ada")
    bot = source(telegram.url)
    telegram.fault("getFile", status=401, body={"ok": False, "error_code": 401, "description": "Unauthorized"})
    send(bot, photo())
    run()
    assert (job().state, TelegramMessage.objects.get().state) == (JobState.FAILED, MessageState.FAILED)
    bot.refresh_from_db()
    assert bot.last_error.startswith("Telegram does not accept the bot's token")
    api.retry(job().pk)
    run()
    assert (job().state, TelegramMessage.objects.get().state) == (JobState.COMPLETED, MessageState.TAKEN)
    assert Post.objects.count() == 1


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        ({"status": 429, "body": {"ok": False, "error_code": 429, "parameters": {"retry_after": 30}}}, "postponed"),
        ({"status": 502, "body": "<html>"}, "retry"),
        ({"status": 200, "body": "{broken"}, "retry"),
        ({"kind": "cut"}, "retry"),
    ],
)
def test_a_fault_of_the_bot_api_is_waited_out(
    telegram: FakeBotApi, later: Any, fault: dict[str, Any], state: str
) -> None:
    account("Ada")
    bot = source(telegram.url)
    telegram.fault("getFile", **fault)
    send(bot, photo())
    run()
    assert job().attempt_set.latest("pk").outcome == state
    assert not Post.objects.exists()
    later(3600)
    run()
    assert (Post.objects.count(), len(answers(telegram))) == (1, 1)


def test_what_never_works_is_said_in_the_chat_after_the_last_attempt(telegram: FakeBotApi, later: Any) -> None:
    bot = source(telegram.url)
    telegram.fault("/file/", status=404, body="gone", times=99)
    send(bot, photo())
    for _ in range(8):
        run()
        later(3600)
    assert job().state == JobState.FAILED
    assert [text.startswith("Not taken: ") for text in answers(telegram)] == [True]


def test_a_path_that_leads_elsewhere_is_not_followed(telegram: FakeBotApi) -> None:
    bot = source(telegram.url)
    for path in ("/etc/passwd", "../getMe", "a/../../x", "http://127.0.0.1/x", ""):
        body = {"ok": True, "result": {"file_id": "cat", "file_path": path}}
        telegram.fault("getFile", status=200, body=body)
        send(bot, photo())
        run()
    assert not [path for path in telegram.paths() if "/file/" in path]
    assert set(TelegramMessage.objects.values_list("state", flat=True)) == {"refused"}


def test_an_answer_is_sent_again_only_where_it_was_not_sent(telegram: FakeBotApi, later: Any) -> None:
    account("Ada")
    bot = source(telegram.url)
    limited = {"ok": False, "error_code": 429, "parameters": {"retry_after": 5}, "description": "Too Many Requests"}
    telegram.fault("sendMessage", status=429, body=limited)
    send(bot, update(text="One"))
    run()
    assert answers(telegram) == []
    later(60)
    run()
    assert len(answers(telegram)) == 1
    telegram.fault("sendMessage", kind="cut", after=True)
    send(bot, update(text="Two"))
    run()
    later(3600)
    # As after the death of a worker: it may have been sent.
    api.enqueue(telegram_intake.ANSWER, {"message_id": TelegramMessage.objects.latest("pk").pk})
    run()
    assert len(answers(telegram)) == 2


def test_answers_can_be_switched_off_and_channels_are_never_answered(telegram: FakeBotApi) -> None:
    account("Ada")
    bot = source(telegram.url, senders=[PERSON, CHANNEL])
    send(bot, update(kind="channel_post", text="News", chat={"id": CHANNEL, "type": "channel"}))
    run()
    TelegramSource.objects.update(replies=False)
    send(bot, update(text="Hello"))
    run()
    assert Post.objects.count() == 2
    assert answers(telegram) == []


def test_what_comes_from_a_channel_is_not_posted_back_to_it(telegram: FakeBotApi) -> None:
    ada = account("Ada")
    account("News", "telegram", identity_id=str(CHANNEL), config={"chat_id": CHANNEL})
    bot = source(telegram.url, senders=[CHANNEL])
    send(bot, update(kind="channel_post", text="News", chat={"id": CHANNEL, "type": "channel"}))
    run()
    assert [found.account for found in Delivery.objects.all()] == [ada]


def test_what_is_settled_is_forgotten_after_a_week(telegram: FakeBotApi, later: Any) -> None:
    account("Ada")
    bot = source(telegram.url)
    send(bot, update(text="Hello"))
    assert telegram_intake.forget_old(clock.now()) == 0
    later(8 * 86_400)
    assert telegram_intake.forget_old(clock.now()) == 0  # it still waits
    run()
    assert telegram_intake.forget_old(clock.now()) == 1
    assert Post.objects.count() == 1


def test_nothing_of_a_token_or_secret_is_in_what_is_kept(telegram: FakeBotApi) -> None:
    bot = source(telegram.url)
    telegram.fault("getFile", status=400, body={"ok": False, "description": f"odd {TOKEN}"}, times=9)
    send(bot, photo(chat=PRIVATE))
    run()
    kept = list(Job.objects.values_list("last_error", flat=True))
    kept += [str(attempt.message) for found in Job.objects.all() for attempt in found.attempt_set.all()]
    kept += map(str, [*TelegramMessage.objects.values(), *TelegramSource.objects.values()])
    assert not [text for text in kept if TOKEN in text]
