"""Telling Telegram where to send what people write to a bot, and asking how that stands. Outside any transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from posts.models import TelegramSource
from posts.platforms import _telegram_intake as telegram
from posts.publishing.errors import PublishError, ReconnectNeeded
from posts.publishing.platform import Session
from posts.services.errors import Refused, ServiceError
from posts.services.standing import sentence_of
from posts.services.telegram_sources import address_of, is_own_server, renew_address, secret_of, session_of

PORTS = (443, 80, 88, 8443)  # core.telegram.org/bots/api#setwebhook
LABEL = "Telegram"

Answer = TypeVar("Answer")


class WebhookFailed(ServiceError):
    """Telegram did not do it; ``str()`` says why and what to do."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a webhook stands, in words; ``is_good`` is whether messages arrive."""

    is_good: bool
    lines: tuple[str, ...]


def set_webhook(source: TelegramSource) -> None:
    """Have what people write to the bot sent here. Raises Refused where no address could work, WebhookFailed."""
    address = address_of(source)
    _require_reachable(source, address)
    secret = secret_of(source)

    def ask(session: Session) -> str:
        session.http.hide(address, secret)
        telegram.set_webhook(session, address, secret)
        return telegram.name_of(session)

    name = _asked(source, ask)
    TelegramSource.objects.filter(pk=source.pk).update(bot_name=name, last_error="")
    source.bot_name = name


def renew_webhook(source: TelegramSource) -> None:
    """Give the webhook another address and secret, and tell Telegram. Raises as ``set_webhook``.

    Where Telegram cannot be told, nothing arrives until the webhook is set: what is written meanwhile waits there.
    """
    _require_reachable(source, address_of(source))
    renew_address(source)
    set_webhook(source)


def delete_webhook(source: TelegramSource) -> None:
    """Have nothing sent here any more. Raises WebhookFailed."""
    _asked(source, telegram.delete_webhook)


def webhook_standing(source: TelegramSource) -> Standing:
    """Ask Telegram how the webhook stands; say it in words. Raises WebhookFailed."""
    info = _asked(source, telegram.webhook_info)
    if not info.url:
        return Standing(False, (_("No webhook is set: nothing that is written to the bot arrives. Set it."),))
    lines, is_here = [], info.url == address_of(source)
    if is_here:
        lines.append(_("The webhook is set and leads here."))
    else:
        host = urlsplit(info.url).hostname or "?"
        lines.append(_("The webhook leads to another address, at %(host)s. Set it anew.") % {"host": host})
    waiting = ngettext("%(n)s message waits at Telegram.", "%(n)s messages wait at Telegram.", info.pending)
    lines.append(waiting % {"n": f"{info.pending:,}"})
    if info.error:
        at = f"{info.error_at:%Y-%m-%d %H:%M}" if info.error_at else "?"
        lines.append(_("The last delivery that failed was at %(at)s UTC: %(error)s") % {"at": at, "error": info.error})
    return Standing(is_here and not (info.error and info.pending), tuple(lines))


def _asked(source: TelegramSource, ask: Callable[[Session], Answer]) -> Answer:
    session = session_of(source)
    try:
        return ask(session)
    except ReconnectNeeded:
        said = _("Telegram does not accept the bot's token. Copy it from @BotFather and enter it on the source's page.")
    except PublishError as error:
        said = _("%(said)s Nothing was changed at Telegram as far as is known; try again in a moment.")
        said %= {"said": sentence_of(error, LABEL)}
    raise WebhookFailed(said)


def _require_reachable(source: TelegramSource, address: str) -> None:
    """Raise Refused where Telegram would not call the address. A server of one's own calls any."""
    if is_own_server(source):
        return
    parts = urlsplit(address)
    if parts.scheme != "https":
        said = _(
            "Telegram calls https:// addresses only, and SITE_URL is %(site)s. Set SITE_URL to the site's https one."
        )
        raise Refused(said % {"site": f"{parts.scheme}://{parts.netloc}"})
    port = parts.port or 443
    if port not in PORTS:
        said = _(
            "Telegram calls the ports 443, 80, 88 and 8443 only, and SITE_URL names %(port)s. Serve on one of those."
        )
        raise Refused(said % {"port": port})
