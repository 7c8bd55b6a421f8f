"""Which pictures nobody needs any more, and deleting their files.

The rule: a file goes ``MEDIA_KEEP_DAYS`` after the last delivery that used it was published or cancelled,
``MEDIA_KEEP_FAILED_DAYS`` after one failed or came too late, and never while a draft, a scheduled or an uncertain
delivery needs it, nor while it is kept in the library. An upload that no post ever took goes after a day.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from django.db.models import Exists, OuterRef, QuerySet

from posts import conf
from posts.models import Delivery, DeliveryStatus, Media, PostMedia, PostStatus
from queue_app.database import atomic

UNUSED_UPLOAD_KEPT = timedelta(days=1)

SETTLED = (DeliveryStatus.PUBLISHED, DeliveryStatus.CANCELLED)
MISSED = (DeliveryStatus.FAILED, DeliveryStatus.EXPIRED)


class Fate(NamedTuple):
    """What becomes of a file: ``kept`` in the library, ``needed`` by a post, ``unused`` or ``over`` and to be deleted
    ``at`` a time, or ``gone`` since then."""

    kind: Literal["kept", "needed", "unused", "over", "gone"]
    at: datetime | None = None


def fate_of(media: Media) -> Fate:
    """Return what becomes of ``media`` if nobody does anything."""
    if media.file_deleted_at is not None:
        return Fate("gone", media.file_deleted_at)
    if media.is_in_library:
        return Fate("kept")
    if not _candidates().filter(pk=media.pk).exists():
        return Fate("needed")
    return Fate("over" if media.post_media.exists() else "unused", _needed_until(media))


def delete_unneeded(now: datetime) -> int:
    """Delete the files of all media that nobody needs at ``now`` (aware); return how many media. Safe to repeat."""
    return sum(_delete_if_unneeded(pk, now) for pk in list(_candidates().values_list("pk", flat=True)))


def delete_files(media: Media) -> None:
    """Delete the file of ``media`` and its variants with theirs; a file that is gone already is no error."""
    for variant in media.variants.all():
        variant.file.delete(save=False)
        variant.delete()
    media.file.storage.delete(media.file.name or "")


def _candidates() -> QuerySet[Media]:
    """Media that may be due: those that still have a file and that no delivery is waiting for."""
    waiting = Delivery.objects.filter(post__post_media__media=OuterRef("pk")).exclude(status__in=[*SETTLED, *MISSED])
    draft = PostMedia.objects.filter(media=OuterRef("pk"), post__status=PostStatus.DRAFT)
    kept = Media.objects.filter(file_deleted_at=None, is_in_library=False)
    return kept.filter(~Exists(waiting), ~Exists(draft)).order_by("pk")


def _delete_if_unneeded(media_id: int, now: datetime) -> bool:
    """Judge once more under a lock, which also keeps new posts from taking the picture, and delete."""
    with atomic():
        # Files first: if the commit fails, nobody needed them and the next run writes that down.
        media = Media.objects.select_for_update().filter(pk=media_id).filter(pk__in=_candidates()).first()
        if media is None or _needed_until(media) > now:
            return False
        delete_files(media)
        if media.post_media.exists():
            Media.objects.filter(pk=media_id).update(file_deleted_at=now)
        else:
            media.delete()
    return True


def _needed_until(media: Media) -> datetime:
    deliveries = list(Delivery.objects.filter(post__post_media__media=media).select_related("job", "post"))
    if not deliveries:
        return media.created_at + UNUSED_UPLOAD_KEPT
    settled, missed = timedelta(days=conf.get("MEDIA_KEEP_DAYS")), timedelta(days=conf.get("MEDIA_KEEP_FAILED_DAYS"))
    return max(_ended_at(delivery) + (missed if delivery.status in MISSED else settled) for delivery in deliveries)


def _ended_at(delivery: Delivery) -> datetime:
    """When a delivery reached its final state; its job knows, unless that was purged."""
    finished_at = delivery.job.finished_at if delivery.job is not None else None
    return finished_at or delivery.published_at or delivery.post.updated_at
