"""Bots that feed posts: writing them down, their addresses and secrets, who may feed them.

The token, the address and the secret are sealed together; a request is compared with hashes, so hearing one opens
nothing. The address may be shown to whoever may change the source, the secret and the token never are. Asks no network.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit

from django.urls import reverse
from django.utils.translation import gettext as _

from posts import conf, credentials
from posts.models import SourceAction, TelegramSource
from posts.platforms.telegram import DEFAULT_API_URL, TOKEN
from posts.publishing.http import base_url
from posts.publishing.platform import Session
from posts.services.errors import Problem, Refused, ValidationFailed
from posts.services.sessions import app_of, new_session
from posts.services.spacing import MOST_MINUTES
from posts.services.validation import zone_problems
from posts.text.storable import is_storable
from queue_app import conf as queue_conf

TELEGRAM = "telegram"
ADDRESS_BYTES = SECRET_BYTES = 32
MOST_SENDERS = 100
LARGEST_ID = 2**63 - 1
_NUMBER = re.compile(r"-?[0-9]{1,19}", re.ASCII)


def senders_of(text: str) -> list[int]:
    """Return the ids that a person has listed, by lines, commas or spaces. Raises ValidationFailed."""
    words = text.replace(",", " ").split()
    wrong = [word for word in words if not _NUMBER.fullmatch(word) or abs(int(word)) > LARGEST_ID or not int(word)]
    if wrong:
        said = _("“%(word)s” is not the number of a chat or person; numbers are like 123456789 or -1001234567890")
        raise ValidationFailed([Problem("senders", said % {"word": wrong[0][:40]})])
    if len(words) > MOST_SENDERS:
        said = _("There are %(n)s numbers, the most is %(most)s; feed from a group instead")
        raise ValidationFailed([Problem("senders", said % {"n": len(words), "most": MOST_SENDERS})])
    return list(dict.fromkeys(map(int, words)))


def save_source(source: TelegramSource, *, token: str = "") -> TelegramSource:
    """Write a new source, or one that was changed; ``token`` is the bot's, "" leaves the stored one.

    A new one gets its address and secret. Raises ValidationFailed.
    """
    token = token.strip()
    source.api_url = base_url(source.api_url) or DEFAULT_API_URL
    problems = source_problems(source, token)
    if problems:
        raise ValidationFailed(problems)
    if not source.sealed:
        source.bot_id = int(token.partition(":")[0])
        _seal_anew(source, token)
    elif token:
        _seal(source, _opened(source) | {"token": token})
    source.save()
    return source


def source_problems(source: TelegramSource, token: str) -> list[Problem]:
    """Return what is wrong with a source that is to be saved with ``token``."""
    problems = _token_problems(source, token) + zone_problems(source.timezone)
    for name in ("start_delay_minutes", "interval_minutes"):
        if not 0 <= getattr(source, name) < MOST_MINUTES:
            problems.append(Problem(name, _("Minutes are 0 or more, and less than ten years")))
    unknown = [name for name in source.platforms if name not in conf.get("ENABLED_PLATFORMS")]
    if unknown:
        problems.append(Problem("platforms", _("%(name)s is not enabled on this site") % {"name": unknown[0]}))
    if source.action not in SourceAction.values:
        problems.append(Problem("action", _("A message becomes a draft, or is queued")))
    if not source.name.strip() or not is_storable(source.name):
        problems.append(Problem("name", _("Give it a name by which you will know it again")))
    parts = urlsplit(source.api_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        problems.append(Problem("api_url", _("The server's address is like https://api.telegram.org")))
    return problems


def renew_address(source: TelegramSource) -> None:
    """Give ``source`` another address and secret: what is sent to the old address is not believed any more."""
    _seal_anew(source, _opened(source)["token"])
    source.save(update_fields=["sealed", "address_hash", "secret_hash"])


def source_at(address: str) -> TelegramSource | None:
    """Return the source whose address ends in ``address``."""
    return TelegramSource.objects.filter(address_hash=_hash(address)).first()


def is_believed(source: TelegramSource | None, secret: str) -> bool:
    """Say whether ``secret`` is the one that ``source`` has told Telegram; as quickly where there is no source."""
    expected = source.secret_hash if source is not None else _hash("nobody's")
    return hmac.compare_digest(_hash(secret), expected) and source is not None


def address_of(source: TelegramSource) -> str:
    """Return the webhook's whole address. Raises Refused where the keys of the site cannot open it."""
    path = reverse("posts:telegram_updates", args=[_opened(source)["address"]])
    return f"{str(queue_conf.get('SITE_URL')).rstrip('/')}{path}"


def secret_of(source: TelegramSource) -> str:
    """Return what Telegram sends along. For Telegram alone. Raises Refused as ``address_of``."""
    return _opened(source)["secret"]


def session_of(source: TelegramSource, chat_id: int = 0) -> Session:
    """Return what the Bot API is called with for ``source``; ``chat_id`` is where answers go. Raises Refused."""
    opened = _opened(source)
    api_url = source.api_url if is_own_server(source) else app_of(TELEGRAM).api(DEFAULT_API_URL)
    return new_session(TELEGRAM, opened, {"api_url": api_url, "chat_id": chat_id})


def is_own_server(source: TelegramSource) -> bool:
    """Say whether the Bot API server is one of the site's own, which calls any address."""
    return source.api_url != DEFAULT_API_URL


def _token_problems(source: TelegramSource, token: str) -> list[Problem]:
    if not token and source.sealed:
        return []
    if not TOKEN.fullmatch(token) or int(token.partition(":")[0]) > LARGEST_ID:
        said = _("That is no bot token; @BotFather gives one like 123456:ABC-DEF")
        return [Problem("token", said)]
    bot_id = int(token.partition(":")[0])
    if source.sealed and bot_id != source.bot_id:
        said = _("That is another bot's token. Add another source for that bot")
        return [Problem("token", said)]
    if TelegramSource.objects.filter(bot_id=bot_id).exclude(pk=source.pk).exists():
        said = _("This bot feeds another source already, and a bot has one webhook. Make a bot of its own for this one")
        return [Problem("token", said)]
    return []


def _seal_anew(source: TelegramSource, token: str) -> None:
    address, secret = secrets.token_urlsafe(ADDRESS_BYTES), secrets.token_urlsafe(SECRET_BYTES)
    source.address_hash, source.secret_hash = _hash(address), _hash(secret)
    _seal(source, {"token": token, "address": address, "secret": secret})


def _seal(source: TelegramSource, values: Mapping[str, str]) -> None:
    source.sealed = credentials.seal(source.uuid, dict(values))


def _opened(source: TelegramSource) -> dict[str, str]:
    try:
        return credentials.unseal(source.uuid, source.sealed)
    except credentials.CannotOpen:
        pass
    said = _(
        "The token of %(source)s cannot be opened with this site's keys. Put the key it was sealed with back into "
        "SOCIALQ_ENCRYPTION_KEYS, or delete the source and add it again."
    )
    raise Refused(said % {"source": source})


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
