"""Set, look at or delete the webhook of a bot that feeds posts: find the source, call the service, print."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from posts.models import TelegramSource
from posts.services import telegram_webhook
from posts.services.errors import ServiceError
from queue_app.management.base import OneLineCommand

MOST_NAMED = 20


class Command(OneLineCommand):
    help = (
        "Have what people write to a bot sent to this site, ask how that stands, or end it. Sources are added in the "
        "admin, under Telegram sources; see docs/telegram.md."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare what to do and for which source."""
        parser.add_argument("action", choices=["set", "info", "delete"], help="what to do")
        parser.add_argument("source", help="number or name of the source")
        parser.add_argument(
            "--new-secret", action="store_true", help="with set: give it another address and secret first"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it; end with code 1 where messages do not arrive."""
        source, action = _found(options["source"]), options["action"]
        if options["new_secret"] and action != "set":
            raise CommandError("--new-secret goes with set alone")
        try:
            if action == "set":
                change = telegram_webhook.renew_webhook if options["new_secret"] else telegram_webhook.set_webhook
                change(source)
                self.stdout.write(f"What is written to @{source.bot_name} now comes to {_one_line(source)}.")
            elif action == "delete":
                telegram_webhook.delete_webhook(source)
                self.stdout.write(f"Nothing is sent to {_one_line(source)} any more. Telegram keeps it for a day.")
            else:
                standing = telegram_webhook.webhook_standing(source)
                self.stdout.write("\n".join(map(_one_line, standing.lines)))
                if not standing.is_good:
                    raise CommandError("Messages do not arrive; see above")
        except ServiceError as error:
            raise CommandError(_one_line(error)) from None


def _found(given: str) -> TelegramSource:
    by = {"pk": int(given)} if given.isascii() and given.isdigit() and len(given) < 19 else {"name": given}
    sources = list(TelegramSource.objects.filter(**by)[:2])
    if len(sources) == 1:
        return sources[0]
    if sources:
        raise CommandError(f"Several sources have the name {_one_line(given)}; give the number of one")
    known = [f"{source.pk} ({_one_line(source)})" for source in TelegramSource.objects.order_by("pk")[:MOST_NAMED]]
    there = f"there are {', '.join(known)}" if known else "add one in the admin, under Telegram sources"
    raise CommandError(f"There is no source {_one_line(given)}; {there}")


def _one_line(text: object) -> str:
    return " ".join(str(text).split())
