"""Telling people in a chat of theirs, by apprise: the channel of notices, and the only reader of chat addresses.

Apprise runs in a process of its own (``posts.notifying.apart``), which judges every connection where it is made. An
address is a secret: it is sealed, never shown again, and in no error.
"""

from __future__ import annotations

import json
import re
import subprocess
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from posts import conf, credentials
from posts.media.sandbox import run_apart
from posts.models import ChatAddress
from queue_app.channels import Message, NotSent
from queue_app.database import atomic

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.utils.functional import _StrPromise

CHAT = "chat"
ADDRESS_CHARACTERS = 2000
# Some chats take two thousand characters.
BODY_CHARACTERS = 1800
SUBJECT_CHARACTERS = 180
TIMEOUT_SECONDS = 30.0

WRONG: dict[str, str | _StrPromise] = {
    "unreadable": _("this is no address that apprise understands"),
    "scheme": _("this site does not send to this service; its operator can allow it in SOCIALQ_NOTIFY_SCHEMES"),
    "refused": _("it leads to an address that this site may not call"),
    "failed": _("the service could not be reached, or did not take it"),
    "timeout": _("the service did not answer in time"),
    "missing": _("apprise is not installed: pip install 'socialq[notify]'"),
}
# What calls everybody in some chats, and what some read as a link or a command.
_LOUD = re.compile(r"[@<]")


class Chat:
    """One chat a person, at an address of apprise's."""

    name, label = CHAT, _("Chat")
    address_label: str | _StrPromise = _("Address of your chat")
    address_help: str | _StrPromise = _(
        "As apprise writes it, such as slack://…, discord://…, tgram://… or ntfys://…; see appriseit.com/services."
    )

    def known_address(self, user: User) -> str:
        """Return the name of the service; the address is never shown."""
        return ChatAddress.objects.filter(user=user).values_list("service", flat=True).first() or ""

    def save_address(self, user: User, address: str) -> None:
        """Seal and keep the address, or forget it. Raises ValueError with what is wrong with it."""
        address = address.strip()
        if not address:
            ChatAddress.objects.filter(user=user).delete()
            return
        if len(address) > ADDRESS_CHARACTERS or not address.isprintable():
            raise ValueError(str(WRONG["unreadable"]))
        service, wrong = _apart("check", address)
        if wrong:
            raise ValueError(str(WRONG[wrong]))
        with atomic():
            row = ChatAddress.objects.select_for_update().filter(user=user).first() or ChatAddress(user=user)
            row.service, row.sealed = service, credentials.seal(row.uuid, {"address": address})
            row.save()

    def send(self, user: User | None, message: Message) -> None:
        """Send one message to the person's chat. Raises NotSent."""
        row = ChatAddress.objects.filter(user=user).first() if user is not None else None
        if row is None:
            raise NotSent(gettext("there is no chat address any more"))
        try:
            address = credentials.unseal(row.uuid, row.sealed)["address"]
        except credentials.CannotOpen as error:
            raise NotSent(str(error)) from None
        _service, wrong = _apart("send", address, message)
        if wrong:
            raise NotSent(f"{row.service}: {WRONG[wrong]}")


def _apart(what: str, address: str, message: Message | None = None) -> tuple[str, str]:
    """Have the process do ``what``; return the service's name, and the code of what went wrong or ""."""
    if find_spec("apprise") is None:
        return "", "missing"
    asked: dict[str, Any] = {
        "address": address,
        "schemes": conf.get("NOTIFY_SCHEMES"),
        "allow_private": conf.get("ALLOW_PRIVATE_NETWORKS"),
    }
    if message is not None:
        title, body = inert(message.subject)[:SUBJECT_CHARACTERS], inert(message.body)
        if len(body) > BODY_CHARACTERS:
            body = body[: BODY_CHARACTERS - 1] + "…"
        asked |= {"title": " ".join(title.split()), "body": body, "is_good": message.is_good}
    source = json.dumps(asked).encode()
    try:
        done = run_apart("posts.notifying.apart", what, timeout_seconds=TIMEOUT_SECONDS, source=source)
    except subprocess.TimeoutExpired:
        return "", "timeout"
    try:
        answer = json.loads(done.stdout)
    except ValueError:  # it was ended, or broke down; its errors may quote the address
        return "", "failed"
    return answer["service"], answer["wrong"]


def inert(text: str) -> str:
    """Return ``text``, which may quote strangers, so that no chat takes a part of it for a call or a command."""
    shown = "".join(letter for letter in text if letter.isprintable() or letter == "\n")
    return _LOUD.sub(lambda found: f"{found[0]}\u200b", shown)
