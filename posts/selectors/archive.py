"""Posts, accounts, files and series as the records of an archive: JSON that no database and no site is named in.

Reads only, so many rows at a time. No login, no job and no answer of a network is in a record; what another site needs
to know an account, a file or a post again is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from django.contrib.auth import get_user_model
from django.db.models import Prefetch, Q, QuerySet

from posts.models import Account, Delivery, DeliveryStatus, Media, Post, PostMedia, Recurrence

ORIGIN = "archive:"
ROWS_AT_ONCE = 200

Record = dict[str, Any]

ACCOUNT_FIELDS = (
    "platform",
    "identity_id",
    "name",
    "config",
    "enabled",
    "signature",
    "variables",
    "utm",
    "slots_timezone",
)
MEDIA_FIELDS = (
    *("original_name", "mime_type", "kind", "duration_seconds", "facts", "width", "height", "size_bytes", "sha256"),
    *("alt_text", "is_in_library"),
)
RECURRENCE_FIELDS = ("rule", "first_wall_time", "timezone", "made_until", "skipped_days")
POST_FIELDS = (
    *("origin", "text", "language", "thread_mode", "first_comment", "wall_time", "timezone", "priority", "occurrence"),
    "is_exception",
)
DELIVERY_FIELDS = (
    *("text_override", "status", "options", "platform_post_id", "url", "error_code", "error_field", "error_message"),
)


def key_of(post: Post) -> str:
    """Return what names ``post`` on every site: the same as often as it is exported, and after it was imported."""
    origin = post.origin or ""
    if origin.startswith(ORIGIN):
        return origin.removeprefix(ORIGIN)
    return str(uuid5(NAMESPACE_OID, f"{post.created_at.isoformat()} {post.pk}"))


def media_key(sha256: str, owner: str) -> str:
    """Return what names a file on every site."""
    return f"{sha256}:{owner}"


def posts_to_export(owners: Collection[str], since: datetime | None) -> QuerySet[Post]:
    """Return the posts of ``owners``, by name (none: everybody's), written since a time (aware)."""
    posts = Post.objects.filter(_of(owners))
    return posts if since is None else posts.filter(created_at__gte=since)


def post_records(posts: QuerySet[Post]) -> Iterator[tuple[Post, Record]]:
    """Yield the posts, oldest first, with their records."""
    last = 0
    files = PostMedia.objects.select_related("media__owner").order_by("position", "pk")
    deliveries = Delivery.objects.select_related("account").order_by("pk")
    while True:
        batch = posts.filter(pk__gt=last).order_by("pk").select_related("owner", "recurrence").prefetch_related(
            Prefetch("post_media", files), Prefetch("deliveries", deliveries), "tags"
        )  # fmt: skip
        rows = list(batch[:ROWS_AT_ONCE])
        yield from ((post, _post(post)) for post in rows)
        if not rows:
            return
        last = rows[-1].pk


def accounts_to_export(owners: Collection[str], used: Collection[int]) -> Iterator[Record]:
    """Yield the accounts of ``owners``, and those that the exported posts use."""
    rows = Account.objects.filter(_of(owners) | Q(pk__in=used)).select_related("owner").prefetch_related("slots")
    for account in rows.order_by("pk"):
        slots = [[slot.weekday, slot.wall_time.isoformat()] for slot in account.slots.all()]
        yield _fields(account, ACCOUNT_FIELDS) | {"owner": _name(account.owner), "slots": slots}


def media_to_export(owners: Collection[str], used: Collection[int]) -> Iterator[tuple[Media, Record]]:
    """Yield the files in the library of ``owners``, and those that the exported posts use."""
    rows = Media.objects.filter(_of(owners), is_in_library=True).values_list("pk", flat=True)
    wanted = sorted({*used, *rows})
    for start in range(0, len(wanted), ROWS_AT_ONCE):
        batch = Media.objects.filter(pk__in=wanted[start : start + ROWS_AT_ONCE]).select_related("owner")
        for media in batch.prefetch_related("tags").order_by("pk"):
            yield (
                media,
                _fields(media, MEDIA_FIELDS)
                | {"owner": _name(media.owner), "tags": _tags(media), "created_at": media.created_at.isoformat()}
                | {"file_deleted_at": _moment(media.file_deleted_at)},
            )


def recurrences_to_export(used: Collection[int]) -> Iterator[Record]:
    """Yield the series that the exported posts belong to."""
    for series in Recurrence.objects.filter(pk__in=used).select_related("owner").order_by("pk"):
        ends_on = series.ends_on.isoformat() if series.ends_on else None
        moments = {"created_at": _moment(series.created_at), "ended_at": _moment(series.ended_at)}
        yield _fields(series, RECURRENCE_FIELDS) | {
            "key": recurrence_key(series),
            "owner": _name(series.owner),
            "ends_on": ends_on,
            **moments,
        }


def recurrence_key(series: Recurrence) -> str:
    """Return what names a series inside an archive."""
    return str(uuid5(NAMESPACE_OID, f"{series.created_at.isoformat()} {series.pk}"))


def _post(post: Post) -> Record:
    media = [
        {"media": media_key(each.media.sha256, _name(each.media.owner)), "alt_text": each.alt_text}
        for each in post.post_media.all()
    ]
    return {
        "key": key_of(post),
        **_fields(post, POST_FIELDS),
        "owner": _name(post.owner),
        "tags": _tags(post),
        "media": media,
        "scheduled_at": _moment(post.scheduled_at),
        "expires_at": _moment(post.expires_at),
        "created_at": _moment(post.created_at),
        "recurrence": recurrence_key(post.recurrence) if post.recurrence is not None else None,
        "deliveries": [_delivery(delivery) for delivery in post.deliveries.all()],
    }


def _delivery(delivery: Delivery) -> Record:
    fields = _fields(delivery, DELIVERY_FIELDS)
    if delivery.snapshot is not None and delivery.status != DeliveryStatus.PUBLISHED:
        fields["status"] = DeliveryStatus.NEEDS_REVIEW  # sent, and nobody knows what became of it, however it ended
    return {
        "account": [delivery.account.platform, delivery.account.identity_id],
        "uuid": str(delivery.uuid),
        **fields,
        "keyed_at": _moment(delivery.keyed_at),
        "published_at": _moment(delivery.published_at),
    }


def _of(owners: Collection[str]) -> Q:
    return Q(**{f"owner__{_user_field()}__in": owners}) if owners else Q()


def _user_field() -> str:
    return str(get_user_model().USERNAME_FIELD)


def _name(owner: Any) -> str:
    return str(owner.get_username()) if owner is not None else ""


def _tags(row: Post | Media) -> list[str]:
    return sorted(tag.name for tag in row.tags.all())


def _fields(row: Any, names: Collection[str]) -> Record:
    return {name: getattr(row, name) for name in names}


def _moment(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
