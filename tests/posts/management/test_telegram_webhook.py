"""telegram_webhook: one line for each mistake, and no webhook that Telegram would never call."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from posts.models import TelegramSource
from posts.services.telegram_sources import address_of
from tests.posts.feeding import source
from tests.posts.platforms.fake_bot_api import TOKEN, FakeBotApi

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]


@pytest.fixture
def telegram(settings: Any) -> Iterator[FakeBotApi]:
    with FakeBotApi() as fake:
        platforms = {"telegram": {"API_BASE": fake.url}}
        settings.SOCIALQ = {
            **settings.SOCIALQ, "ALLOW_PRIVATE_NETWORKS": True, "SITE_URL": "https://q.example", "PLATFORMS": platforms
        }  # fmt: skip
        yield fake


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("telegram_webhook", *arguments, stdout=out)
    return out.getvalue()


def refused(*arguments: str) -> str:
    with pytest.raises(CommandError) as refusal:
        run(*arguments)
    return str(refusal.value)


def test_sets_says_how_it_stands_and_deletes(telegram: FakeBotApi) -> None:
    bot = source()
    assert "Messages do not arrive" in refused("info", str(bot.pk))
    assert run("set", "News desk") == "What is written to @poster_bot now comes to News desk.\n"
    assert telegram.webhook["url"] == address_of(bot)
    telegram.webhook |= {"pending_update_count": 2, "last_error_date": 1_800_000_000, "last_error_message": "odd"}
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("telegram_webhook", "info", "News desk", stdout=out)
    assert out.getvalue() == (
        "The webhook is set and leads here.\n2 messages wait at Telegram.\n"
        "The last delivery that failed was at 2027-01-15 08:00 UTC: odd\n"
    )
    telegram.webhook |= {"pending_update_count": 0}
    run("info", "News desk")
    run("set", "News desk", "--new-secret")
    assert telegram.webhook["url"] == address_of(TelegramSource.objects.get()) != address_of(bot)
    assert "Nothing is sent to News desk any more" in run("delete", "News desk")
    assert telegram.webhook == {"url": ""}


@pytest.mark.parametrize(
    ("site", "said"),
    [
        ("http://127.0.0.1:8000", "Telegram calls https:// addresses only, and SITE_URL is http://127.0.0.1:8000"),
        ("https://q.example:9443", "SITE_URL names 9443"),
    ],
)
def test_an_address_that_telegram_never_calls_is_refused(
    telegram: FakeBotApi, settings: Any, site: str, said: str
) -> None:
    bot = source()
    settings.SOCIALQ = {**settings.SOCIALQ, "SITE_URL": site}
    for arguments in (["set"], ["set", "--new-secret"]):
        assert said in refused(*arguments, str(bot.pk))
    assert telegram.paths() == []
    assert TelegramSource.objects.get().address_hash == bot.address_hash
    TelegramSource.objects.update(api_url=telegram.url)  # a server of one's own calls any
    run("set", str(bot.pk))


def test_each_mistake_is_one_line(telegram: FakeBotApi) -> None:
    assert "add one in the admin" in refused("set", "nobody")
    bot = source()
    assert f"there are {bot.pk} (News desk)" in refused("set", "nobody")
    assert "--new-secret goes with set alone" in refused("info", "News desk", "--new-secret")
    second = TelegramSource(owner=bot.owner, name="News desk", bot_id=7, timezone="UTC")
    second.address_hash = "0" * 64
    second.save()
    assert "Several sources" in refused("set", "News desk")
    assert "cannot be opened with this site's keys" in refused("set", str(second.pk))
    telegram.fault("setWebhook", kind="cut")
    said = refused("set", str(bot.pk))
    assert "broke off" in said
    assert TOKEN not in said
