"""Bots that feed posts in the admin: adding one, its webhook, whose it is, and that its token stays unseen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from posts.models import TelegramMessage, TelegramSource
from posts.services.telegram_sources import address_of, secret_of
from queue_app import clock
from tests.posts.admin.pages import browser, list_of, messages_of, page, person
from tests.posts.feeding import send, source, update
from tests.posts.platforms.fake_bot_api import PERSON, TOKEN, FakeBotApi

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]

ADD = "/admin/posts/telegramsource/add/"


@pytest.fixture
def telegram(settings: Any) -> Iterator[FakeBotApi]:
    settings.SOCIALQ = {**settings.SOCIALQ, "ALLOW_PRIVATE_NETWORKS": True, "SITE_URL": "https://q.example"}
    with FakeBotApi() as fake:
        yield fake


@pytest.fixture
def boss() -> Client:
    return browser(person("boss", is_superuser=True))


def form(**fields: Any) -> dict[str, Any]:
    return {
        "name": "News desk",
        "token": TOKEN,
        "senders": f"{PERSON}, -1001234567890",
        "action": "queue",
        "platforms": ["outbox"],
        "start_delay_minutes": "5",
        "interval_minutes": "0.5",
        "timezone": "Europe/Vienna",
        "replies": "on",
        "enabled": "on",
        "api_url": "https://api.telegram.org",
        **fields,
    }


def webhook(client: Client, bot: TelegramSource, do: str) -> Any:
    return client.post(reverse("admin:posts_telegramsource_webhook", args=[bot.pk]), {"do": do})


def test_an_empty_list_says_what_to_do(boss: Client) -> None:
    assert "Make one with @BotFather" in boss.get(list_of(TelegramSource)).content.decode()


def test_a_source_is_added_and_leads_to_the_next_step(boss: Client) -> None:
    answer = boss.post(ADD, form())
    bot = TelegramSource.objects.get()
    assert answer.headers["Location"] == page(bot)
    assert "Set webhook" in messages_of(answer)
    assert (bot.owner.get_username(), bot.senders, bot.action) == ("boss", [PERSON, -1001234567890], "queue")
    assert (bot.platforms, bot.start_delay_minutes, bot.interval_minutes) == (["outbox"], 5, 0.5)
    text = boss.get(page(bot)).content.decode()
    assert address_of(bot) in text
    assert TOKEN not in text
    assert secret_of(bot) not in text
    assert LogEntry.objects.get().object_id == str(bot.pk)
    assert not any(TOKEN in str(entry.__dict__) for entry in LogEntry.objects.all())


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"token": ""}, "That is no bot token"),
        ({"token": "hello"}, "That is no bot token"),
        ({"senders": "@ada"}, "“@ada” is not the number of a chat or person"),
        ({"senders": "9" * 19}, "is not the number"),
        ({"senders": " ".join(map(str, range(1, 102)))}, "the most is 100"),
        ({"timezone": "Mars/Base"}, "Select a valid choice"),
        ({"interval_minutes": "-1"}, "greater than or equal to 0"),
        ({"interval_minutes": "nan"}, "Enter a number"),
        ({"start_delay_minutes": "1e9"}, "less than ten years"),
        ({"platforms": ["mars"]}, "Select a valid choice"),
        ({"api_url": "ftp://x"}, "like https://api.telegram.org"),
    ],
)
def test_what_makes_no_sense_is_said_beside_its_field(boss: Client, fields: dict[str, Any], said: str) -> None:
    assert said in boss.post(ADD, form(**fields)).content.decode()
    assert not TelegramSource.objects.exists()


def test_a_bot_feeds_one_source(boss: Client) -> None:
    bot = source()
    assert "feeds another source already" in boss.post(ADD, form()).content.decode()
    assert "another bot&#x27;s token" in boss.post(page(bot), form(token="77:AAother")).content.decode()


def test_a_change_keeps_token_address_and_owner(boss: Client) -> None:
    bot = source()
    address = address_of(bot)
    assert boss.post(page(bot), form(token="", name="Renamed", senders="")).status_code == 302
    bot.refresh_from_db()
    assert (bot.name, bot.senders, bot.owner.get_username(), address_of(bot)) == ("Renamed", [], "feeder", address)
    boss.post(page(bot), form(token=f"{TOKEN}2"))
    bot.refresh_from_db()
    assert address_of(bot) == address


def test_the_webhook_is_set_asked_for_renewed_and_deleted(boss: Client, telegram: FakeBotApi) -> None:
    bot = source(telegram.url)
    assert "No webhook is set" in messages_of(webhook(boss, bot, "info"))
    assert "@poster_bot now comes here" in messages_of(webhook(boss, bot, "set"))
    bot.refresh_from_db()
    assert telegram.webhook == {
        "url": address_of(bot),
        "secret_token": secret_of(bot),
        "allowed_updates": ["message", "channel_post"],
        "drop_pending_updates": False,
    }
    assert "leads here. 0 messages wait" in messages_of(webhook(boss, bot, "info"))
    webhook(boss, bot, "renew")
    renewed = TelegramSource.objects.get()
    assert telegram.webhook["url"] == address_of(renewed) != address_of(bot)
    assert telegram.webhook["secret_token"] == secret_of(renewed) != secret_of(bot)
    assert "keeps what is written for a day" in messages_of(webhook(boss, bot, "delete"))
    assert telegram.webhook == {"url": ""}
    assert webhook(boss, bot, "odd").status_code == 400
    assert LogEntry.objects.count() == 3


def test_a_refusal_of_telegram_is_said_without_the_token(boss: Client, telegram: FakeBotApi) -> None:
    bot = source(telegram.url)
    told = {"ok": False, "error_code": 400, "description": f"Bad Request: bad webhook: odd {TOKEN} {secret_of(bot)}"}
    telegram.fault("setWebhook", status=400, body=told)
    said = messages_of(webhook(boss, bot, "set"))
    assert "bad webhook: odd [secret] [secret]" in said
    telegram.fault("getMe", status=401, body={"ok": False, "error_code": 401, "description": "Unauthorized"})
    assert "Copy it from @BotFather" in messages_of(webhook(boss, bot, "set"))


def test_what_was_heard_is_shown_with_its_reason_and_who_was_turned_away(boss: Client) -> None:
    bot = source()
    send(bot, update(voice={"file_id": "v"}))
    send(bot, update(text="<b>Hi</b>", chat={"id": 99, "type": "group", "title": "Eve & Co"}, **{"from": {"id": 9}}))
    text = boss.get(page(bot)).content.decode()
    assert "a voice cannot be posted" in text
    assert "Eve &amp; Co" in text
    assert "<code>99</code>" in text


def test_sources_of_others_are_out_of_reach() -> None:
    bot = source()
    other = browser(person("other", [f"posts.{what}_telegramsource" for what in ("view", "add", "change", "delete")]))
    assert "News desk" not in other.get(list_of(TelegramSource)).content.decode()
    assert other.get(page(bot)).status_code == 302
    assert other.post(page(bot), form(token="")).status_code == 302
    assert webhook(other, bot, "set").status_code == 404
    assert other.post(page(bot, "delete"), {"post": "yes"}).status_code == 302
    assert TelegramSource.objects.get().name == "News desk"


def test_who_may_only_look_sees_no_address_and_no_button() -> None:
    bot = source()
    viewer = browser(person("viewer", ["posts.view_telegramsource", "posts.view_all_posts"]))
    text = viewer.get(page(bot)).content.decode()
    assert "News desk" in text
    assert address_of(bot) not in text
    assert "Set webhook</button>" not in text
    assert webhook(viewer, bot, "set").status_code == 403


def test_deleting_one_forgets_what_was_written_and_keeps_the_posts(boss: Client) -> None:
    bot = source()
    send(bot, update(text="Hello"))
    assert TelegramMessage.objects.filter(received_at__lte=clock.now()).exists()
    assert boss.post(page(bot, "delete"), {"post": "yes"}).status_code == 302
    assert not TelegramSource.objects.exists()
    assert not TelegramMessage.objects.exists()
