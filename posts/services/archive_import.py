"""Bringing an archive into this site: what is not here yet, in one transaction, and nothing twice.

What is out is history: a delivery with its link, and no job. What was scheduled becomes a draft, for the site that the
archive is of may still publish it; with ``schedule`` it is scheduled here. Accounts come without logins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError
from django.db.models import F
from django.utils.translation import gettext

from posts.models import Account, Delivery, DeliveryStatus, Media, Post, PostMedia, Recurrence, Slot
from posts.selectors.archive import ORIGIN, key_of, media_key
from posts.services import telling
from posts.services.account_texts import set_account_texts
from posts.services.archive_file import Archive, ArchiveRefused
from posts.services.archive_media import store_media
from posts.services.archive_owners import Owners
from posts.services.errors import ServiceError
from posts.services.schedule import schedule_post
from posts.services.standing import ask_reconnect
from posts.services.status import status_of
from posts.services.tags import set_tags, tag_problems
from posts.services.uploads import discard_upload
from queue_app import clock
from queue_app.database import atomic

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Record = Mapping[str, Any]
Progress = Callable[[str], None]

IMPORTED = "imported"
WAS_WAITING = (DeliveryStatus.DRAFT, DeliveryStatus.SCHEDULED, DeliveryStatus.HELD)
# What nobody knows of when the archive was made.
WAS_UNDER_WAY = (DeliveryStatus.PUBLISHING, DeliveryStatus.NEEDS_REVIEW)


@dataclass(slots=True)
class Report:
    """What an import did, or would do: ``new`` and ``known`` by kind; ``waiting`` were scheduled and are drafts now."""

    new: Counter[str] = field(default_factory=Counter)
    known: Counter[str] = field(default_factory=Counter)
    scheduled: int = 0
    waiting: int = 0
    notes: list[str] = field(default_factory=list)


class ArchiveImport:
    """The import of one archive. ``owners`` names this site's user for a name in the archive; "*" is for all others."""

    def __init__(self, archive: Archive, *, owners: Mapping[str, str], schedule: bool, progress: Progress) -> None:
        self._archive, self._schedule, self._progress = archive, schedule, progress
        self._owners = Owners(owners)
        self._new_posts: set[str] = set()
        self._needed_media: set[str] = set()
        self.report = Report()

    def look(self) -> Report:
        """Read and check all of it and say what is new; write nothing. Raises ArchiveRefused, Refused."""
        refs: dict[str, set[Any]] = {"accounts": set(self._look_at_accounts()), "recurrences": set()}
        for series in self._archive.records("recurrences"):
            self._owners.note(series["owner"])
            refs["recurrences"].add(series["key"])
        refs["media"] = {media_key(each["sha256"], each["owner"]) for each in self._archive.records("media")}
        for post in self._archive.records("posts"):
            self._look_at_post(post, refs)
        self._look_at_media()
        self._owners.require_all()
        return self.report

    def run(self) -> Report:
        """Do ``look``, then bring in what is new: all of it or nothing. Raises as ``look`` does, and NoRoom."""
        self.look()
        stored: dict[str, Media] = {}
        try:
            store_media(self._archive, self._needed_media, self._owners.of, stored, self._progress)
            with atomic(), telling.told_at_the_end():
                accounts = {
                    (each["platform"], each["identity_id"]): self._account(each)
                    for each in self._archive.records("accounts")
                }
                self._media(stored)
                self._posts(accounts)
        except BaseException as error:
            for media in stored.values():
                discard_upload(media)
            if isinstance(error, IntegrityError):
                raise ArchiveRefused(gettext("The archive contradicts itself: %(error)s") % {"error": error}) from error
            raise
        return self.report

    def _look_at_accounts(self) -> list[tuple[str, str]]:
        found = []
        for account in self._archive.records("accounts"):
            self._owners.note(account["owner"])
            found.append((account["platform"], account["identity_id"]))
            is_known = _account_of(account) is not None
            (self.report.known if is_known else self.report.new)["accounts"] += 1
        return found

    def _look_at_post(self, post: Record, refs: Mapping[str, set[Any]]) -> None:
        """Check what a post refers to, and note whether it is new."""
        missing = [each["account"] for each in post["deliveries"] if each["account"] not in refs["accounts"]]
        missing += [each["media"] for each in post["media"] if each["media"] not in refs["media"]]
        missing += [] if post["recurrence"] in {None, *refs["recurrences"]} else [post["recurrence"]]
        if missing:
            words = {"key": post["key"], "missing": str(missing[0])[:100]}
            raise ArchiveRefused(gettext("The post %(key)s needs %(missing)s, which the archive does not have") % words)
        problems = tag_problems(post["tags"])
        if problems:
            raise ArchiveRefused(problems[0].message)
        self._owners.note(post["owner"])
        if _is_known(post) or post["key"] in self._new_posts:
            self.report.known["posts"] += 1
            return
        self.report.new["posts"] += 1
        self._new_posts.add(post["key"])
        self._needed_media |= {each["media"] for each in post["media"]}

    def _look_at_media(self) -> None:
        """Note which files are needed and not here: those of new posts, and of the library."""
        for media in self._archive.records("media"):
            self._owners.note(media["owner"])
            key = media_key(media["sha256"], media["owner"])
            if media["is_in_library"]:
                self._needed_media.add(key)
            if key in self._needed_media and self._owners.knows(media["owner"]):
                is_known = _media_of(media["sha256"], self._owners.of(media["owner"])) is not None
                (self.report.known if is_known else self.report.new)["media"] += 1

    def _account(self, record: Record) -> Account:
        """Return the account as it is here; make it, to be reconnected, where there is none."""
        found = _account_of(record)
        if found is not None:
            return found
        names = ("platform", "identity_id", "name", "config", "enabled", "slots_timezone")
        account = Account(owner=self._owners.of(record["owner"]), **{name: record[name] for name in names})
        account.save()
        set_account_texts(account, **{name: record[name] for name in ("signature", "variables", "utm")})
        Slot.objects.bulk_create(
            [Slot(account=account, weekday=day, wall_time=at) for day, at in sorted(set(record["slots"]))]
        )
        ask_reconnect(account, IMPORTED)
        return account

    def _media(self, stored: Mapping[str, Media]) -> None:
        """Describe the files that were just stored, and make rows for those that the archive has no file of."""
        for record in self._archive.records("media"):
            key, owner = media_key(record["sha256"], record["owner"]), self._owners.of(record["owner"])
            media = stored.get(key)
            if media is None:
                if key not in self._needed_media or _media_of(record["sha256"], owner) is not None:
                    continue
                media = _without_file(record, owner)
            Media.objects.filter(pk=media.pk).update(
                alt_text=record["alt_text"], created_at=record["created_at"], is_in_library=record["is_in_library"]
            )
            set_tags(media, record["tags"])

    def _posts(self, accounts: Mapping[tuple[str, str], Account]) -> None:
        files = {media_key(each["sha256"], each["owner"]): each for each in self._archive.records("media")}
        series = {each["key"]: each for each in self._archive.records("recurrences")}
        made: dict[str, Recurrence] = {}
        for number, record in enumerate(self._archive.records("posts"), start=1):
            if record["key"] not in self._new_posts:
                continue
            self._new_posts.discard(record["key"])
            post = self._post(record, accounts)
            for position, each in enumerate(record["media"]):
                file = files[each["media"]]
                media = _media_of(file["sha256"], self._owners.of(file["owner"]))
                if media is not None:
                    PostMedia.objects.get_or_create(
                        post=post, media=media, defaults={"position": position, "alt_text": each["alt_text"]}
                    )
            if record["recurrence"] is not None:
                self._join(post, record, series[record["recurrence"]], made)
            self._settle(post, record)
            self._progress(gettext("%(n)s posts") % {"n": f"{number:,}"})

    def _post(self, record: Record, accounts: Mapping[tuple[str, str], Account]) -> Post:
        """Make a post and its deliveries as they ended; what had not is a draft, or cancelled beside what had."""
        names = (
            *(
                "text",
                "language",
                "thread_mode",
                "first_comment",
                "scheduled_at",
                "wall_time",
                "timezone",
                "expires_at",
            ),
            "priority",
        )
        origin = f"{ORIGIN}{record['key']}"
        post = Post(owner=self._owners.of(record["owner"]), origin=origin, **{name: record[name] for name in names})
        post.save()
        Post.objects.filter(pk=post.pk).update(created_at=record["created_at"])
        set_tags(post, record["tags"])
        is_draft = all(each["status"] in WAS_WAITING and not _may_be_live(each) for each in record["deliveries"])
        for each in record["deliveries"]:
            taken = Delivery.objects.filter(uuid=each["uuid"]).exists()
            own = {} if taken else {"uuid": each["uuid"], "keyed_at": each["keyed_at"]}
            Delivery.objects.create(post=post, account=accounts[each["account"]], **own, **_columns(each, is_draft))
        return post

    def _join(self, post: Post, record: Record, series: Record, made: dict[str, Recurrence]) -> None:
        """Put ``post`` into its series, which goes on here only where posts are scheduled."""
        if series["key"] not in made:
            made[series["key"]] = self._series(series)
        Post.objects.filter(pk=post.pk).update(
            recurrence=made[series["key"]], occurrence=record["occurrence"], is_exception=record["is_exception"]
        )

    def _series(self, record: Record) -> Recurrence:
        names = ("rule", "first_wall_time", "timezone", "ends_on", "made_until", "skipped_days")
        values = {"owner": self._owners.of(record["owner"]), **{name: record[name] for name in names}}
        found = Recurrence.objects.filter(created_at=record["created_at"], rule=record["rule"]).first()
        if found is not None:
            return found
        ended_at = record["ended_at"] or (None if self._schedule else clock.now())
        series = Recurrence.objects.create(ended_at=ended_at, **values)
        Recurrence.objects.filter(pk=series.pk).update(created_at=record["created_at"])
        self.report.new["recurrences"] += 1
        return series

    def _settle(self, post: Post, record: Record) -> None:
        """Write the post's status, which is history and no news; schedule it where that is asked for and possible."""
        Post.objects.filter(pk=post.pk).update(status=status_of(set(post.deliveries.values_list("status", flat=True))))
        telling.happened(post, telling.CREATED, "")
        statuses = {each["status"] for each in record["deliveries"]}
        if statuses and statuses <= {DeliveryStatus.SCHEDULED, DeliveryStatus.HELD}:
            if not self._schedule:
                self.report.waiting += 1
                return
            try:
                at: datetime = record["scheduled_at"] or clock.now()
                schedule_post(post, at=at, wall_time=record["wall_time"], timezone=record["timezone"])
                self.report.scheduled += 1
            except (ServiceError, ValueError) as error:
                note = gettext("Post %(post)s stays a draft: %(error)s") % {"post": post.pk, "error": error}
                self.report.notes.append(note)


def _columns(record: Record, is_draft: bool) -> dict[str, Any]:
    """Return what is stored of a delivery: how it ended, or why it did not end here."""
    names = ("text_override", "options", "platform_post_id", "url", "published_at")
    values = {name: record[name] for name in names} | {"status": record["status"]}
    status = record["status"]
    if _may_be_live(record):
        values["snapshot"] = {}  # sent by somebody, nobody knows what: whoever retries it is asked first
    if _may_be_live(record) and status in (*WAS_UNDER_WAY, *WAS_WAITING):
        said = gettext("When the archive was made nobody knew whether it was out: look there before you retry it.")
        return values | {"status": DeliveryStatus.FAILED, "error_code": IMPORTED, "error_message": said}
    if status in WAS_WAITING:
        said = gettext("It was still to go out when the archive was made: retry it if it is to go out from here.")
        waits = {"status": DeliveryStatus.CANCELLED, "error_code": IMPORTED, "error_message": said}
        return values | ({"status": DeliveryStatus.DRAFT} if is_draft else waits)
    return values | {name: record[name] for name in ("error_code", "error_field", "error_message")}


def _may_be_live(record: Record) -> bool:
    """Say whether a delivery, or the first parts of it, may be out though it was not done."""
    status = record["status"]
    return status in WAS_UNDER_WAY or (status != DeliveryStatus.PUBLISHED and bool(record["platform_post_id"]))


def _is_known(record: Record) -> bool:
    """Say whether the post of ``record`` is here: imported before, or the very one that was exported."""
    origins = [f"{ORIGIN}{record['key']}", *([record["origin"]] if record["origin"] else [])]
    if Post.objects.filter(origin__in=origins).exists():
        return True
    return any(key_of(post) == record["key"] for post in Post.objects.filter(created_at=record["created_at"]))


def _account_of(record: Record) -> Account | None:
    return Account.objects.filter(platform=record["platform"], identity_id=record["identity_id"]).first()


def _media_of(sha256: str, owner: User | None) -> Media | None:
    # Where there are several, one whose file is there.
    return (
        Media.objects.filter(sha256=sha256, owner=owner)
        .order_by(F("file_deleted_at").asc(nulls_first=True), "pk")
        .first()
    )


def _without_file(record: Record, owner: User | None) -> Media:
    names = (
        "sha256",
        "original_name",
        "mime_type",
        "kind",
        "duration_seconds",
        "facts",
        "width",
        "height",
        "size_bytes",
    )
    gone = record["file_deleted_at"] or clock.now()
    return Media.objects.create(owner=owner, file_deleted_at=gone, **{name: record[name] for name in names})
