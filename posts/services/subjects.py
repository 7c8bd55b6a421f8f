"""Posts about an object of the host site: one for each object and purpose, brought up to date until it goes out.

Owns ``Post.origin`` of such posts. What a person decided (cancelled, deleted, own texts of an account) and what has
begun to go out is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from django.core.files.base import File
from django.db import IntegrityError
from django.db.models import Model
from django.utils.translation import gettext

from posts.models import Account, Delivery, Media, Post, PostStatus
from posts.selectors.subjects import origin_of, post_about, posts_about
from posts.services import queueing
from posts.services.drafts import save_draft
from posts.services.posts import CancelReport, cancel_post
from posts.services.schedule import publish_now, reschedule_post, schedule_post, waiting
from posts.services.uploads import sha256_of, store_upload
from posts.services.validation import SETTLED, content_problems
from posts.transactions import refuse_in_transaction
from queue_app import clock

if TYPE_CHECKING:
    from django.contrib.auth.models import User

ANNOUNCEMENT = "announcement"

# A file of the host or an upload, alone or with an alt text of its own.
Attachment: TypeAlias = "Media | File[bytes] | tuple[Media | File[bytes], str]"


def publish_subject(
    subject: Model,
    *,
    purpose: str = ANNOUNCEMENT,
    text: str | None = None,
    accounts: Iterable[Account] | None = None,
    media: Iterable[Attachment] | None = None,
    at: datetime | None = None,
    timezone: str = "",
    owner: User | None = None,
    actor: User | None = None,
    **fields: Any,
) -> Post:
    """Have a post about ``subject`` go out ``at`` (aware; ``None``: now); return it as stored.

    There is one for each object and ``purpose``: called again it brings that one up to date, with what is given, as
    long as nothing of it has begun to go out; after that it is returned as it is. One that was cancelled goes out only
    at another time than the one that it was cancelled for; one that a person took back to a draft stays a draft.

    ``media`` are uploads (``store_media``) or, outside any transaction, files of the host, which are copied; each may
    be a tuple with an alt text. ``fields`` are further ones of ``save_draft``: language, thread_mode, first_comment,
    priority, expires_at, tags, own_texts, options. ``owner`` is set once. All of it is in the caller's transaction, if
    there is one. Raises ValidationFailed, Refused, NoRoom, Conflict, NotAllowed, ValueError.
    """
    origin = origin_of(subject, purpose)
    given: dict[str, Any] = dict(fields)
    if text is not None:
        given["text"] = text
    if accounts is not None:
        given["account_ids"] = [account.pk for account in accounts]
    if media is not None:
        given["media"] = _uploads(media, post_about(subject, purpose), owner)
    with queueing.one_transaction():
        post = Post.objects.filter(origin=origin).first()
        if post is None:
            made = _make(origin, given, owner, actor)
            if made is not None:
                return _start(made, at, timezone, actor)
            post = Post.objects.get(origin=origin)  # somebody was faster
        (stored,) = queueing.lock_posts([post.pk])
        return _bring_up_to_date(stored, given, at, timezone, actor)


def cancel_subject(subject: Model, *, purpose: str | None = None, actor: User | None = None) -> CancelReport:
    """Cancel what waits of the posts about ``subject``, or of the one for ``purpose``; raises Conflict, NotAllowed."""
    found = posts_about(subject) if purpose is None else Post.objects.filter(origin=origin_of(subject, purpose))
    with queueing.one_transaction():
        reports = [cancel_post(post, actor=actor) for post in found]
    refused = [delivery for report in reports for delivery in report.refused]
    return CancelReport(sum(report.cancelled for report in reports), refused)


def store_media(file: File[bytes], *, owner: User | None = None, like: Post | None = None) -> Media:
    """Copy a file of the host into the store of uploads; return the upload, or the same file of the post ``like``.

    Call it outside any transaction: copying takes a while. Raises ValidationFailed, NoRoom.
    """
    refuse_in_transaction(gettext("A file would be copied"))
    was_closed = file.closed
    file.open("rb")
    try:
        if like is not None:
            same = like.media.filter(sha256=sha256_of(file), file_deleted_at=None).first()
            if same is not None:
                return same
        return store_upload(file, owner=owner, original_name=file.name or "")
    finally:
        if was_closed:
            file.close()


def text_problems(*, text: str, accounts: Iterable[Account], **fields: Any) -> list[str]:
    """Return what the networks of ``accounts`` would refuse of a text that is not saved anywhere, a sentence each.

    ``fields`` are those of ``publish_subject``; what is attached is not judged.
    """
    said = {name: fields[name] for name in ("language", "thread_mode", "first_comment") if name in fields}
    post = Post(text=text, **said)
    deliveries = [Delivery(post=post, account=account) for account in accounts]
    problems = content_problems(post, deliveries, files=()) if text.strip() else []
    return [problem.message for problem in problems if problem.field in ("text", "first_comment")]


def is_open(post: Post) -> bool:
    """Say whether nothing of ``post`` has begun to go out, so that its content may still follow its object."""
    return not any(
        delivery.status in SETTLED or delivery.live or queueing.may_be_live(delivery)
        for delivery in queueing.deliveries_of(post)
    )


def _uploads(media: Iterable[Attachment], like: Post | None, owner: User | None) -> list[tuple[int, str]]:
    """Return (id, alt text) of each, the host's files stored."""
    uploads = []
    for each in media:
        file, alt_text = each if isinstance(each, tuple) else (each, "")
        stored = file if isinstance(file, Media) else store_media(file, owner=owner, like=like)
        uploads.append((stored.pk, alt_text))
    return uploads


def _make(origin: str, given: Mapping[str, Any], owner: User | None, actor: User | None) -> Post | None:
    """Write a new post; ``None`` if somebody else has just made it."""
    blank: dict[str, Any] = {"text": "", "account_ids": [], "media": []}
    try:
        with queueing.one_transaction():
            post = save_draft(post=None, owner=owner, actor=actor, **{**blank, **given})
            Post.objects.filter(pk=post.pk).update(origin=origin)
    except IntegrityError:
        if Post.objects.filter(origin=origin).exists():
            return None
        raise
    return post


def _start(post: Post, at: datetime | None, timezone: str, actor: User | None) -> Post:
    if at is None:
        return publish_now(post, actor=actor)
    return schedule_post(post, at=at, timezone=timezone, actor=actor)


def _bring_up_to_date(
    post: Post, given: Mapping[str, Any], at: datetime | None, timezone: str, actor: User | None
) -> Post:
    """Give a locked post what is new, and its new time, if it is still to go out."""
    now = clock.now()
    before = post.scheduled_at or now
    is_moved = (at or now) != before and max(at or now, before) > now
    is_revived = post.status == PostStatus.CANCELLED and at is not None and at > now and is_moved
    is_coming = post.status in (PostStatus.DRAFT, PostStatus.SCHEDULED) or is_revived
    if not is_coming or not is_open(post):
        return post
    kept = _content(post)
    if {**kept, **given} != kept:
        post = save_draft(post=post, owner=None, actor=actor, **{**kept, **given})
    if is_revived:
        return _start(post, at, timezone, actor)
    if not is_moved or not waiting(post):  # it has no time of its own where it is a draft, or held
        return post
    if at is None:
        return publish_now(post, actor=actor)
    return reschedule_post(post, at=at, timezone=timezone, actor=actor)


def _content(post: Post) -> dict[str, Any]:
    """Return a post's content as ``save_draft`` takes it."""
    deliveries: Sequence[Delivery] = queueing.deliveries_of(post)
    names = ("text", "language", "thread_mode", "first_comment", "timezone", "priority", "expires_at")
    return {
        **{name: getattr(post, name) for name in names},
        "account_ids": [delivery.account_id for delivery in deliveries],
        "media": list(post.post_media.values_list("media_id", "alt_text")),
        "own_texts": {each.account_id: each.text_override for each in deliveries if each.text_override is not None},
    }
