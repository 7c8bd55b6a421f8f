"""What Telegram sends to a bot that feeds posts: believed by its secret, written down, taken in by a job.

Whoever does not know the address and the secret learns nothing: not even whether there is such an address. Telegram
sends again for about a day what is not answered with 200. https://core.telegram.org/bots/api#setwebhook
"""

from __future__ import annotations

from datetime import timedelta

from django.http import HttpRequest, HttpResponse

from posts.hooks.requests import heard, hook, not_believed, not_understood, object_of
from posts.platforms._telegram_updates import Malformed, message_of
from posts.services import telegram_intake, telegram_sources
from queue_app import clock

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the header's name
OLDEST = timedelta(days=2)  # what is older was kept by somebody else than Telegram
LEEWAY = timedelta(hours=1)


@hook("POST")
def updates(request: HttpRequest, address: str) -> HttpResponse:
    """Hear one update."""
    source = telegram_sources.source_at(address)
    if not telegram_sources.is_believed(source, request.headers.get(SECRET_HEADER, "")) or source is None:
        return not_believed()
    said = object_of(request.body)
    try:
        message = message_of(said) if said is not None else None
    except Malformed:
        return not_understood()
    if said is None:
        return not_understood()
    if message is None:
        return heard()
    age_seconds = clock.now().timestamp() - message.date
    if not -LEEWAY.total_seconds() < age_seconds < OLDEST.total_seconds():
        return not_believed()
    telegram_intake.hear(source, message)
    return heard()
