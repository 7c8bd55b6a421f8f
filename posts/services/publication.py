"""What one execution of a delivery needs and leaves behind: its content, checkpoints and snapshot.

The only writer of these columns of Delivery. Calls no platform.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

from posts.models import Delivery
from posts.publishing.platform import Checkpoints, Platform
from posts.publishing.types import Content, Json, MediaFile
from posts.services.media import media_file
from queue_app.context import Fenced, JobContext
from queue_app.failpoints import failpoint
from queue_app.states import JobState


def load_delivery(delivery_id: int) -> Delivery | None:
    """Return the delivery with its post and account; ``None`` if its post was deleted or the account taken off it."""
    return Delivery.objects.select_related("post", "account").filter(pk=delivery_id).first()


def effective_text(delivery: Delivery) -> str:
    """Return what this account says: its own text, else the post's."""
    return delivery.post.text if delivery.text_override is None else delivery.text_override


def content_of(delivery: Delivery, platform: Platform) -> Content:
    """Return what is to be published, its pictures rendered to fit the platform. Slow; never inside a transaction."""
    pictures: list[MediaFile] = [
        media_file(picture, platform.capabilities.images)
        for picture in delivery.post.post_media.select_related("media")
    ]
    return Content(
        key=delivery.uuid.hex,
        keyed_at=delivery.keyed_at,
        text=effective_text(delivery),
        language=delivery.post.language,
        media=tuple(pictures),
    )


def content_hash(delivery: Delivery) -> str:
    """Return a hash of everything that decides what is published."""
    pictures = [
        [p.media.sha256, p.alt_text or p.media.alt_text] for p in delivery.post.post_media.select_related("media")
    ]
    seen = [effective_text(delivery), delivery.post.language, pictures]
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()


class DeliveryCheckpoints(Checkpoints):
    """Results of ``prepare`` on the delivery's row; only the execution that holds the job's fence may write."""

    def __init__(self, delivery: Delivery, context: JobContext, digest: str) -> None:
        self._delivery = delivery
        self._fence = context.job.fence
        if delivery.content_hash != digest:
            self._write(content_hash=digest, checkpoints={})

    def once(self, name: str, make: Callable[[], Json]) -> Json:
        """Return the stored result called ``name``, or make it, store it durably and return it."""
        stored: dict[str, Json] = self._delivery.checkpoints
        if name not in stored:
            result = make()
            failpoint("mid_upload")
            self._write(checkpoints={**stored, name: result})
            failpoint("after_upload")
        return self._delivery.checkpoints[name]  # type: ignore[no-any-return]  # JSON written above

    def freeze(self, snapshot: Json) -> None:
        """Keep what is about to be published; called in the mark's transaction."""
        self._write(snapshot=snapshot, snapshot_hash=self._delivery.content_hash)

    def frozen(self) -> Json | None:
        """Return the snapshot of an earlier execution, if the content is still the same."""
        delivery = self._delivery
        return delivery.snapshot if delivery.snapshot_hash == delivery.content_hash else None

    def thaw(self) -> None:
        """Forget the snapshot: it was provably not published, and may be stale by the next execution."""
        self._write(snapshot=None, snapshot_hash="")

    def drop(self) -> None:
        """Forget checkpoints and snapshot: what they name is gone at the platform."""
        self._write(checkpoints={}, snapshot=None, snapshot_hash="")

    def _write(self, **values: object) -> None:
        mine = Delivery.objects.filter(pk=self._delivery.pk, job__fence=self._fence, job__state=JobState.RUNNING)
        if mine.update(**values) == 0:
            raise Fenced
        for name, value in values.items():
            setattr(self._delivery, name, value)
