"""A post follows its object: what the object says of itself now is what goes out. Called by a job after each change.

Knows objects by the methods of ``Subject``, which ``posts.mixins.SocialPostMixin`` gives to models of the host.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, cast

from django.db import router
from django.db.models import Model

from posts import conf
from posts.models import Media, Post, PostStatus
from posts.selectors.subjects import post_about
from posts.services import queueing
from posts.services.posts import delete_post
from posts.services.subjects import Attachment, is_open, publish_subject, store_media
from queue_app import api, clock

FOLLOW = "posts.follow_subject"
FOLLOW_PRIORITY = 2  # before the posts themselves: what goes out next should be what is true
TARGET_CHARACTERS = 200

Stored = tuple[Media, str]


class Subject(Protocol):
    """What an object says of its post."""

    social_purpose: str

    def social_at(self) -> datetime | None:
        """Return when its post is to go out; ``None`` for not at all."""
        ...

    def social_media(self) -> Iterable[Attachment]:
        """Return what is attached."""
        ...

    def social_arguments(self) -> Mapping[str, Any]:
        """Return the other arguments of ``publish_subject``."""
        ...


def ask_to_follow(subject: Model) -> None:
    """Enqueue, in the caller's transaction, the job that brings the post about ``subject`` up to date.

    One for each change: each reads the object as it is by then, so the last one leaves what is true.
    """
    label = subject._meta.label_lower
    target = f"{label}:{subject.pk}"[:TARGET_CHARACTERS]
    api.enqueue(FOLLOW, {"model": label, "key": str(subject.pk)}, target_id=target)


def follow_subject(model: type[Model], key: str) -> Post | None:
    """Make, change, move or withdraw the post about the object of ``model`` with the primary key ``key``.

    Return it as stored, ``None`` if there is none. A post is made only for a time that has passed by no more than
    ``EXPIRE_AFTER_HOURS``: what is older would be stale. Call it outside any transaction: files are copied. Raises
    ValidationFailed, Refused, NoRoom, Conflict.
    """
    # 1. Files are copied before the transaction, and only for a post that can still change.
    found = read_subject(model, key)
    post = _post_of(found) if found is not None else None
    if found is None or (post is not None and not _can_change(post)):
        return post
    attached = list(_said(found).social_media()) if _said(found).social_at() is not None else []
    stored = [_stored(each, post) for each in attached]
    # 2. The object is locked, so that of two changes the later one has the last word.
    with queueing.one_transaction():
        locked = read_subject(model, key, lock=True)
        if locked is None:
            return None
        return _brought_up_to_date(locked, attached, stored)


def read_subject(model: type[Model], key: str, *, lock: bool = False) -> Model | None:
    """Return the object of ``model`` with the primary key ``key`` as stored, if there is one."""
    rows = model._base_manager.using(router.db_for_write(model))  # noqa: SLF001 - Django's documented name
    rows = rows.select_for_update() if lock else rows
    return rows.filter(pk=key).first()


def lock_subject(subject: Model, using: str) -> None:
    """Lock the object, if it is stored, until the transaction on the database ``using`` ends."""
    rows = type(subject)._base_manager.using(using).select_for_update()  # noqa: SLF001 - Django's documented name
    rows.filter(pk=subject.pk).first()


def _brought_up_to_date(subject: Model, attached: Sequence[Attachment], stored: Sequence[Stored]) -> Post | None:
    said, post, now = _said(subject), _post_of(subject), clock.now()
    at = said.social_at()
    if post is not None and not _can_change(post):
        return post
    if at is None:
        return _withdrawn(post)
    if post is None and now - at > timedelta(hours=conf.get("EXPIRE_AFTER_HOURS")):
        return None
    if _names(said.social_media()) != _names(attached):
        return post  # it has changed since, and the job of that change is on its way
    due = at if at > now else None
    arguments = {"purpose": said.social_purpose, **said.social_arguments()}
    return publish_subject(subject, at=due, media=stored, **arguments)


def _withdrawn(post: Post | None) -> Post | None:
    """Take back a post of which nothing has begun, as if it had never been: its object may come back later."""
    if post is not None:
        delete_post(post)
    return None


def _can_change(post: Post) -> bool:
    return post.status in (PostStatus.DRAFT, PostStatus.SCHEDULED) and is_open(post)


def _post_of(subject: Model) -> Post | None:
    return post_about(subject, _said(subject).social_purpose)


def _said(subject: Model) -> Subject:
    return cast("Subject", subject)


def _stored(attachment: Attachment, like: Post | None) -> Stored:
    file, alt_text = attachment if isinstance(attachment, tuple) else (attachment, "")
    return (file if isinstance(file, Media) else store_media(file, like=like)), alt_text


def _names(attachments: Iterable[Attachment]) -> list[str]:
    files = [each[0] if isinstance(each, tuple) else each for each in attachments]
    return [f"media:{file.pk}" if isinstance(file, Media) else file.name or "" for file in files]
