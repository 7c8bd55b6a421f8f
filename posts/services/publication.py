"""What one execution of a delivery needs and leaves behind: its parts, checkpoints, snapshot and what is live.

The only writer of these columns of Delivery. Calls no platform.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import asdict
from datetime import datetime, timedelta
from itertools import zip_longest

from posts.models import Delivery
from posts.publishing.errors import NotReady
from posts.publishing.platform import Checkpoints, Platform
from posts.publishing.types import Content, Json, PartKind, Published
from posts.services.media import media_file
from posts.services.options import offered, with_defaults
from posts.services.status import ID_CHARACTERS, LINK_CHARACTERS
from posts.services.wording import comment_of, effective_text, texts_of
from posts.text.storable import with_strings
from queue_app import clock
from queue_app.context import Fenced, JobContext
from queue_app.failpoints import failpoint
from queue_app.states import JobState

# An execution that has prepared for so long stops at its next checkpoint; the next one goes on from there.
LONGEST_PREPARATION_SECONDS = 600
PROGRESS_EVERY_SECONDS = 2.0
SAID = "/said"  # a checkpoint of no part: the kinds and texts of all of them
WENT_OUT = "at"  # beside what the platform said of a live part


def load_delivery(delivery_id: int) -> Delivery | None:
    """Return the delivery with its post and account; ``None`` if its post was deleted or the account taken off it."""
    return Delivery.objects.select_related("post", "account").filter(pk=delivery_id).first()


def contents_of(delivery: Delivery, platform: Platform) -> list[Content]:
    """Return what is to be published, part by part, its files made to fit the platform. Slow; outside transactions.

    The first part carries the files; a first comment is the last part.
    """
    attached = list(delivery.post.post_media.select_related("media"))
    # Once the first part is live its files are needed no more, and may be gone.
    files = () if delivery.live else tuple(media_file(each, delivery, platform) for each in attached)
    said = _said_already(delivery) or [
        *(("post", text) for text in texts_of(delivery, platform, with_media=bool(attached))),
        *(("comment", comment) for comment in [comment_of(delivery, platform)] if comment),
    ]
    options = with_defaults(delivery.options, offered(platform, delivery.account.config))
    return [
        Content(
            key=f"{delivery.uuid.hex}-{part}" if part else delivery.uuid.hex,
            keyed_at=delivery.keyed_at + timedelta(milliseconds=part),
            text=text,
            language=delivery.post.language,
            media=() if part else files,
            options=options,
            part=part,
            parts=len(said),
            kind=kind,
        )
        for part, (kind, text) in enumerate(said)
    ]


def _said_already(delivery: Delivery) -> list[tuple[PartKind, str]]:
    """Return the kinds and texts of a thread of which something is live: it goes on as it began, whatever was changed
    of the account or its limits since. Empty if nothing is."""
    return [(kind, text) for kind, text in delivery.checkpoints.get(SAID, [])] if delivery.live else []


def content_hash(delivery: Delivery) -> str:
    """Return a hash of everything that decides what is published."""
    files = [[p.media.sha256, p.alt_text or p.media.alt_text] for p in delivery.post.post_media.select_related("media")]
    post = delivery.post
    seen = [effective_text(delivery), post.language, files, delivery.options, post.thread_mode, post.first_comment]
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()


def live_parts(delivery: Delivery) -> list[Published]:
    """Return the parts of ``delivery`` that are out, first one first."""
    return [Published(**{name: kept for name, kept in part.items() if name != WENT_OUT}) for part in delivery.live]


def last_went_out(delivery: Delivery) -> datetime | None:
    """Return when the last live part of ``delivery`` went out, ``None`` if none is live."""
    at = delivery.live[-1].get(WENT_OUT) if delivery.live else None
    return datetime.fromisoformat(at) if at else None


def parts_of(snapshot: Json) -> list[Json]:
    """Return a frozen snapshot part by part."""
    # One frozen by a release without threads is its only part.
    return list(snapshot["parts"]) if "parts" in snapshot else [snapshot]


def live_values(delivery: Delivery, live: list[Published], redact: Callable[[str], str]) -> Json:
    """Return the columns of a delivery that say which parts are live, without a secret that a platform has quoted.

    Each part has when it went out (ISO 8601): a part that was live before keeps its time.
    """
    before, now = [part.get(WENT_OUT) for part in delivery.live], clock.now().isoformat()
    kept = with_strings([asdict(part) for part in live], redact)
    for part, went_out in zip_longest(kept, before[: len(kept)]):
        part[WENT_OUT] = went_out or now
    first = kept[0] if kept else {"id": "", "url": ""}
    link = first["url"] if len(first["url"]) <= LINK_CHARACTERS else ""
    return {"live": kept, "platform_post_id": first["id"][:ID_CHARACTERS], "url": link}


def forget_unsettled(delivery: Delivery) -> None:
    """Take it for not live what ``delivery``'s platform took and never spoke of again, as a person says; in place."""
    if not delivery.live or delivery.live[-1]["settled"]:
        return
    values = live_values(delivery, live_parts(delivery)[:-1], str)
    values |= {"checkpoints": _kept(delivery), "snapshot": None, "snapshot_hash": ""}
    Delivery.objects.filter(pk=delivery.pk).update(**values)
    for name, value in values.items():
        setattr(delivery, name, value)


def _kept(delivery: Delivery) -> Json:
    """Return the checkpoints that outlive what was prepared."""
    said = delivery.checkpoints.get(SAID)
    return {SAID: said} if said else {}


class DeliveryCheckpoints(Checkpoints):
    """Results of ``prepare`` on the delivery's row; only the execution that holds the job's fence may write.

    Names are those of one part; ``of_part`` gives the same for another one.
    """

    def __init__(self, delivery: Delivery, context: JobContext, digest: str) -> None:
        self._delivery = delivery
        self._fence = context.job.fence
        self._prefix = ""
        self._stop_at = time.monotonic() + LONGEST_PREPARATION_SECONDS
        self._told_at = 0.0
        if delivery.content_hash != digest and not delivery.live:
            self._write(content_hash=digest, checkpoints={})

    def of_part(self, part: int) -> DeliveryCheckpoints:
        """Return the checkpoints of the part at this place of the thread."""
        other = copy(self)
        other._prefix = f"{part}/" if part else ""  # noqa: SLF001 - a copy of ourselves
        return other

    def once(self, name: str, make: Callable[[], Json]) -> Json:
        """Return the stored result called ``name``, or make it, store it durably and return it."""
        stored = self.get(name)
        if stored is None:
            stored = make()
            failpoint("mid_upload")
            self.put(name, stored)
            failpoint("after_upload")
        return stored

    def get(self, name: str) -> Json | None:
        """Return the stored result called ``name``, ``None`` if there is none."""
        stored: Json | None = self._delivery.checkpoints.get(self._prefix + name)
        return stored

    def put(self, name: str, value: Json) -> None:
        """Store ``value`` durably; leaves by NotReady where this execution has lasted long."""
        self._write(checkpoints={**self._delivery.checkpoints, self._prefix + name: value})
        if time.monotonic() > self._stop_at:
            raise NotReady("upload_continues", check_after_seconds=0)

    def forget(self, *names: str) -> None:
        """Remove results that the platform no longer knows."""
        gone = {self._prefix + name for name in names}
        self._write(checkpoints={name: kept for name, kept in self._delivery.checkpoints.items() if name not in gone})

    def progress(self, done: int, total: int, what: str) -> None:
        """Write how far the work is, every two seconds at most."""
        now = time.monotonic()
        if now >= self._told_at + PROGRESS_EVERY_SECONDS or done >= total:
            self._told_at = now
            self._write(progress={"done": done, "total": total, "what": what})

    def freeze(self, snapshot: Json, contents: Sequence[Content]) -> None:
        """Keep what is about to be published; called in the mark's transaction."""
        said = {SAID: [[content.kind, content.text] for content in contents]} if len(contents) > 1 else {}
        checkpoints = {**self._delivery.checkpoints, **said}
        self._write(snapshot=snapshot, snapshot_hash=self._delivery.content_hash, checkpoints=checkpoints, progress={})

    def frozen(self) -> Json | None:
        """Return the snapshot of an earlier execution, if the content is still the same."""
        delivery = self._delivery
        return delivery.snapshot if delivery.snapshot_hash == delivery.content_hash else None

    def record(self, live: list[Published], redact: Callable[[str], str]) -> None:
        """Keep which parts are live."""
        self._write(**live_values(self._delivery, live, redact))

    def thaw(self) -> None:
        """Forget the snapshot: what is not live of it was provably not published, and may be stale later."""
        self._write(snapshot=None, snapshot_hash="")

    def drop(self) -> None:
        """Forget checkpoints and snapshot: what they name is gone at the platform."""
        self._write(checkpoints=_kept(self._delivery), snapshot=None, snapshot_hash="")

    def _write(self, **values: object) -> None:
        mine = Delivery.objects.filter(pk=self._delivery.pk, job__fence=self._fence, job__state=JobState.RUNNING)
        if mine.update(**values) == 0:
            raise Fenced
        for name, value in values.items():
            setattr(self._delivery, name, value)
