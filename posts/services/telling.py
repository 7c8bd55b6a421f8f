"""What happened to posts, as events in the queue's log: each change once, in the transaction that makes it.

``post.scheduled`` and whatever else a post's status becomes is told by ``status.py`` alone, the rest by the services
that do it. A service's transaction tells at its end: what went to and fro within it was never so for anybody else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import Any

from posts.models import Delivery, Post, PostStatus
from posts.services.forwarding import wake
from queue_app import events

CREATED, UPDATED, SCHEDULED, DELETED = "post.created", "post.updated", "post.scheduled", "post.deleted"
# A draft is what was created or updated, and that a post is being published is told by its jobs.
OF_STATUS: Mapping[str, str] = {
    status: f"post.{status}" for status in PostStatus.values if status not in (PostStatus.DRAFT, PostStatus.PUBLISHING)
}
NAMES = (CREATED, UPDATED, *OF_STATUS.values(), DELETED)
FACTS = ("id", "account_id", "account__name", "account__platform", "status", "url", "error_code")
# Of more accounts than that the first are told.
MOST_DELIVERIES = 100


@dataclass(slots=True)
class _Change:
    """What a transaction did to one post: its status ``before``, if that was written, and what else there is to tell.

    ``actor`` is who did it, "" for the site.
    """

    before: str | None = None
    names: set[str] = field(default_factory=set)
    actor: str = ""


_gathered: ContextVar[dict[int, _Change] | None] = ContextVar("gathered_changes", default=None)


@contextmanager
def told_at_the_end() -> Iterator[None]:
    """Tell of what is done to posts inside when that is over; within another such block, when the outer one is."""
    outer = _gathered.get()
    if outer is not None:
        before = {post_id: replace(change, names=set(change.names)) for post_id, change in outer.items()}
        try:
            yield
        except BaseException:  # what was written is undone, whoever goes on
            outer.clear()
            outer.update(before)
            raise
        return
    changes: dict[int, _Change] = {}
    token = _gathered.set(changes)
    try:
        yield
    finally:
        _gathered.reset(token)
    if changes:
        posts = Post.objects.only("pk", "status", "owner_id", "scheduled_at").in_bulk(changes)
        for post_id, change in sorted(changes.items()):
            if post_id in posts:
                _tell_all(posts[post_id], change)


def happened(post: Post, name: str, actor: str) -> None:
    """Tell, inside ``told_at_the_end``, that ``actor`` did to ``post`` what the event ``name`` says."""
    change = _change_of(post.pk, actor)
    change.names.add(name)


def status_changed(post: Post, before: str, deliveries: Sequence[Mapping[str, Any]], actor: str) -> None:
    """Tell that the status of ``post`` was ``before``. ``deliveries`` are all of them, as ``facts_of`` returns them."""
    if _gathered.get() is None:
        if name := _name_of(before, post.status):
            _record(name, post, deliveries, actor)
        return
    change = _change_of(post.pk, actor)
    if change.before is None:
        change.before = before


def deleted(post: Post, actor: str) -> None:
    """Tell that ``post``, which is still there, is being deleted, and of nothing else that was done to it just now."""
    _record(DELETED, post, facts_of(post.pk), actor)
    changes = _gathered.get()
    if changes is not None:
        changes.pop(post.pk, None)


def facts_of(post_id: int) -> list[dict[str, Any]]:
    """Return what is told of the deliveries of a post, the oldest first."""
    return list(Delivery.objects.filter(post_id=post_id).order_by("pk").values(*FACTS))


def _change_of(post_id: int, actor: str) -> _Change:
    changes = _gathered.get()
    if changes is None:
        raise RuntimeError("what a service does to posts is told inside queueing.one_transaction()")
    change = changes.setdefault(post_id, _Change())
    change.actor = actor or change.actor
    return change


def _tell_all(post: Post, change: _Change) -> None:
    names = {*change.names, _name_of(change.before, post.status) if change.before is not None else ""}
    deliveries = facts_of(post.pk)
    for name in NAMES:
        if name in names:
            _record(name, post, deliveries, change.actor)


def _name_of(before: str, status: str) -> str:
    """Return what is told of a change of status, "" for nothing.

    From being published back to its time, a post waits for its next account or attempt: nobody scheduled it.
    """
    if before == status or (before, status) == (PostStatus.PUBLISHING, PostStatus.SCHEDULED):
        return ""
    return OF_STATUS.get(status, "")


def _record(name: str, post: Post, deliveries: Iterable[Mapping[str, Any]], actor: str) -> None:
    at = post.scheduled_at
    data = {
        "post_id": post.pk,
        "status": str(post.status),
        "scheduled_at": at.astimezone(UTC).isoformat(timespec="microseconds") if at is not None else None,
        "owner_id": post.owner_id,
        "deliveries": [
            {
                "id": found["id"],
                "account": found["account_id"],
                "account_name": found["account__name"],
                "platform": found["account__platform"],
                "status": found["status"],
                "url": found["url"],
                "error_code": found["error_code"],
            }
            for found in list(deliveries)[:MOST_DELIVERIES]
        ],
    }
    wake(events.record(name, data, actor=actor))
