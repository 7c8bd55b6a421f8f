"""What is written to a bot that feeds posts: heard once, taken in by the source's rule, answered once.

A message is written down with its job in one transaction; its file is fetched outside of any; then the posts, their
jobs, the message's state and its answer are written in one. Each part of an album has a job of its own, due a little
after it came, and the newest part's takes in all: so the album is complete once no part has come for that long.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import BinaryIO, cast

from django.core.files.uploadedfile import TemporaryUploadedFile
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from posts.disk import has_no_room
from posts.models import MessageState, TelegramMessage, TelegramSource
from posts.platforms import _telegram_intake as telegram
from posts.platforms._telegram_updates import Message
from posts.publishing.errors import ContentRejected
from posts.services import access, telegram_rule
from posts.services.errors import NoRoom
from posts.services.queueing import one_transaction
from posts.services.telegram_sources import session_of
from posts.services.uploads import store_upload
from queue_app import api, clock
from queue_app.database import atomic, delete_in_turns

TAKE_IN, ANSWER = "posts.take_in_message", "posts.answer_message"
OPEN = (MessageState.WAITING, MessageState.FAILED)
# Telegram sends the parts of an album one by one, within a second as a rule.
ALBUM_QUIET = timedelta(seconds=2.5)
KEPT = timedelta(days=7)  # far longer than Telegram keeps what it could not deliver
REASON_CHARACTERS = 2000
FORGET_BATCH = 500


def hear(source: TelegramSource, message: Message) -> bool:
    """Write ``message`` down and have it taken in; false, and nothing is done, if it was heard before or may not be."""
    if not source.enabled:
        return False
    now = clock.now()
    with atomic():
        mine = TelegramSource.objects.filter(pk=source.pk)
        if not set(source.senders) & set(message.senders):
            mine.update(last_stranger={"id": message.chat_id, "name": message.chat_name})
            return False
        mine.update(last_heard_at=now)
        row, is_new = TelegramMessage.objects.get_or_create(
            source=source, update_id=message.update_id, defaults={**_row_of(message), "received_at": now}
        )
        if is_new and message.kind == "post":
            at = now + ALBUM_QUIET if message.album else now
            api.enqueue(TAKE_IN, {"message_id": row.pk}, unique_key=f"telegram:{row.pk}", run_at=at)
        elif is_new:
            _refuse_kind(source, row, message)
    return is_new


def parts_to_take(message_id: int) -> list[TelegramMessage]:
    """Return what is to be taken in with a message, in order: itself, or all of its album.

    Nothing where that was done, or is left to a part that came later.
    """
    message = TelegramMessage.objects.select_related("source__owner").filter(pk=message_id).first()
    if message is None or message.state not in OPEN:
        return []
    parts = list(_open_parts(message).select_related("source__owner", "media"))
    return parts if message_id == max(part.pk for part in parts) else []


def fetch_file(part: TelegramMessage) -> None:
    """Fetch the file of a message, if it has one that is not here yet, and store it. Outside any transaction.

    Raises ContentRejected, ValidationFailed and NotAllowed for good, NoRoom and other PublishErrors for now.
    """
    file = part.content.get("file")
    if file is None or (part.media is not None and part.media.file_deleted_at is None):
        return
    source = part.source
    access.require(source.owner, "add_media")
    if file["size_bytes"] > telegram.MAX_DOWNLOAD_BYTES:
        raise ContentRejected("telegram.file_too_big", field="media")
    # Gone when it is closed, unless it became the stored file.
    with TemporaryUploadedFile(file["name"], "", 0, None) as fetched:
        try:
            telegram.fetch(session_of(source), file["file_id"], cast("BinaryIO", fetched))
        except OSError as error:
            if has_no_room(error):
                raise NoRoom(file["name"]) from None
            raise
        fetched.flush()
        fetched.size = fetched.tell()
        part.media = store_upload(fetched, owner=source.owner, original_name=file["name"])
    TelegramMessage.objects.filter(pk=part.pk).update(media=part.media)


def take_in(parts: Sequence[TelegramMessage]) -> bool:
    """Make the posts of one message or album by its source's rule, and its answer, in one commit.

    False, and nothing is done, if somebody else was faster or another part came meanwhile, whose job takes all.
    Raises NotAllowed where the source's owner may not write posts, ValidationFailed, Conflict.
    """
    with one_transaction():
        locked = _locked(parts)
        if not locked:
            return False
        source = TelegramSource.objects.select_related("owner").get(pk=parts[0].source_id)
        made = telegram_rule.make_posts(source, locked)
        _settle(locked, MessageState.TAKEN, answer=made.answer)
        TelegramSource.objects.filter(pk=source.pk).update(last_error="")
    return True


def refuse(parts: Sequence[TelegramMessage], reason: str, *, state: MessageState = MessageState.REFUSED) -> None:
    """Write down that a message or album makes no post, and why; answer so. ``FAILED`` ones may be tried again."""
    with atomic():
        locked = _locked(parts)
        if locked:
            _settle(locked, state, reason=reason, answer=_("Not taken: %(reason)s") % {"reason": reason})
            said = {"last_error": reason[:REASON_CHARACTERS]}
            TelegramSource.objects.filter(pk=locked[0].source_id).update(**said)


def begin_answer(message_id: int) -> TelegramMessage | None:
    """Return a message that is to be answered now, and write down that it was: whoever asks again gets ``None``."""
    waiting = TelegramMessage.objects.filter(pk=message_id, answered_at=None).exclude(answer="")
    if not waiting.update(answered_at=clock.now()):
        return None
    return TelegramMessage.objects.select_related("source").get(pk=message_id)


def send_answer(message: TelegramMessage) -> None:
    """Answer a message in its chat. Raises what a call to Telegram does; Refused if the token cannot be opened."""
    session = session_of(message.source, message.chat_id)
    thread_id = message.content.get("thread_id", 0)
    telegram.answer(session, message.answer, to_message=message.message_id, thread_id=thread_id)


def answer_was_not_sent(message: TelegramMessage) -> None:
    """Take back ``begin_answer``: the answer provably did not go out."""
    TelegramMessage.objects.filter(pk=message.pk).update(answered_at=None)


def forget_old(now: datetime) -> int:
    """Delete what was written long ago and is settled, in batches; return how many messages."""
    old = TelegramMessage.objects.filter(received_at__lt=now - KEPT).exclude(state=MessageState.WAITING)
    return delete_in_turns(old, FORGET_BATCH)


def _row_of(message: Message) -> dict[str, object]:
    file = message.file
    return {
        "chat_id": message.chat_id,
        "message_id": message.message_id,
        "group_key": f"album:{message.chat_id}:{message.album}"
        if message.album
        else f"message:{message.chat_id}:{message.message_id}",
        "content": {
            "text": message.text,
            "file": {"file_id": file.file_id, "name": file.name, "size_bytes": file.size_bytes} if file else None,
            "thread_id": message.thread_id,
            "in_channel": message.in_channel,
        },
    }


def _refuse_kind(source: TelegramSource, row: TelegramMessage, message: Message) -> None:
    """Settle what can be no post: commands get help, what a person might have meant as a post is answered."""
    reasons = {
        "command": _("it is a command to the bot"),
        "edited": _("an edited message changes nothing: what was taken in stays as it is"),
        "service": _("it has neither text nor a file"),
        "bot": _("it was written by a bot"),
        "unsupported": _("a %(what)s cannot be posted; send text, pictures, videos or PDF files")
        % {"what": message.what},
    }
    answer = ""
    if message.kind == "command":
        answer = telegram_rule.help_text(source)
    elif message.kind == "unsupported" and not _has_others(row):
        answer = _("Not taken: %(reason)s") % {"reason": reasons["unsupported"]}
    _settle([row], MessageState.REFUSED, reason=reasons[message.kind], answer=answer)


def _settle(parts: Sequence[TelegramMessage], state: MessageState, *, reason: str = "", answer: str = "") -> None:
    """Write where the parts stand; the first bears the answer, and its job is added. Channels are not answered."""
    TelegramMessage.objects.filter(pk__in=[part.pk for part in parts]).update(state=state, reason=reason)
    first = parts[0]
    replies = TelegramSource.objects.filter(pk=first.source_id, replies=True).exists()
    if answer and replies and not first.content.get("in_channel"):
        TelegramMessage.objects.filter(pk=first.pk).update(answer=answer, answered_at=None)
        key = f"telegram_answer:{first.pk}"
        api.enqueue(ANSWER, {"message_id": first.pk}, unique_key=key, on_duplicate="return")


def _open_parts(message: TelegramMessage) -> QuerySet[TelegramMessage]:
    same = TelegramMessage.objects.filter(source=message.source_id, group_key=message.group_key, state__in=OPEN)
    return same.order_by("message_id", "pk")


def _locked(parts: Sequence[TelegramMessage]) -> list[TelegramMessage]:
    """Return the parts as stored, locked; nothing if they are not all that is still open of their album."""
    locked = list(_open_parts(parts[0]).select_for_update())
    return locked if {part.pk for part in locked} == {part.pk for part in parts} else []


def _has_others(row: TelegramMessage) -> bool:
    same = TelegramMessage.objects.filter(source=row.source_id, group_key=row.group_key)
    return same.exclude(pk=row.pk).exists()
