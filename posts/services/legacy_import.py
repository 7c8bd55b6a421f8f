"""What becomes of the rows of the old queue manager: what waits is scheduled, the rest is history.

Each row is written in one transaction, all or nothing, and once: its post's ``origin`` is "legacy:<id>". A trial does
the same and undoes it, so that it says what the import does. Files are taken in outside of any transaction.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from django.core.files.base import File
from django.db import IntegrityError
from django.utils.translation import gettext as _

from posts.models import Account, Delivery, DeliveryStatus, Media, Post, PostStatus
from posts.publishing import registry
from posts.selectors.posts import usable_accounts
from posts.services import telling
from posts.services.drafts import save_draft
from posts.services.errors import NoRoom, Refused, ServiceError, ValidationFailed
from posts.services.legacy_reading import LegacyJob
from posts.services.schedule import FARTHEST, start
from posts.services.spacing import enabled_accounts, platform_problems
from posts.services.uploads import discard_upload, store_upload
from posts.services.validation import shown
from queue_app import clock
from queue_app.database import atomic

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Kind = Literal["scheduled", "draft", "published", "failed", "known", "skipped"]
ERROR_CODE = "legacy"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a row, or would: its kind, what is made in words, and what a person should know of it."""

    job: LegacyJob
    kind: Kind
    made: str
    note: str = ""


class _Undone(Exception):
    """Undoes what a trial has written."""


@dataclass
class LegacyImport:
    """One import for ``owner`` (``None``: the site). Files are looked for below ``media_root``.

    What was due before ``start_at`` goes out from then on, one every ``interval``, in the old order; what is due later
    keeps its time. Times are shown in the IANA ``zone``.
    """

    owner: User | None
    media_root: Path
    zone: str
    start_at: datetime
    interval: timedelta
    is_trial: bool = False
    _overdue: int = field(default=0, init=False)

    def take(self, job: LegacyJob) -> Verdict:
        """Write the post of one row, unless that was done before. Rows come in the order in which they were due."""
        if not job.is_unique:
            return Verdict(job, "skipped", _("another row has this id, too; give each its own in a copy of the file"))
        if Post.objects.filter(origin=_origin(job)).exists():
            return Verdict(job, "known", _("imported before"))
        if job.platform not in registry.platforms():
            return Verdict(job, "skipped", _("this site knows no platform “%(name)s”") % {"name": job.platform})
        try:
            return self._waiting(job) if job.status in ("pending", "unclear") else self._history(job)
        except ServiceError as error:
            return Verdict(job, "skipped", str(error))
        except IntegrityError:
            if not Post.objects.filter(origin=_origin(job)).exists():
                raise
            return Verdict(job, "known", _("imported before"))

    def _waiting(self, job: LegacyJob) -> Verdict:
        """Schedule what waits; a draft where it cannot go out as it is, or may have gone out already."""
        account_ids = enabled_accounts(job.platform, self.owner)
        problems = platform_problems(job.platform, account_ids)
        if problems:
            return Verdict(job, "skipped", problems[0].message)
        at, is_overdue = self._time_of(job)
        with self._files_of(job) as (files, missing), self._kept():
            post = save_draft(
                post=None,
                owner=self.owner,
                text=job.text,
                account_ids=account_ids,
                media=[(file.pk, "") for file in files],
                timezone=self.zone,
            )
            why = self._why_draft(job, missing) or self._start(post, at)
            self._finish(post, job)
        if why:
            return Verdict(job, "draft", _("a draft"), why)
        self._overdue += is_overdue
        where = ", ".join(map(shown, Account.objects.filter(pk__in=account_ids).order_by("pk")))
        said = _("scheduled for %(at)s UTC on %(where)s") % {"at": f"{at:%Y-%m-%d %H:%M}", "where": where}
        return Verdict(job, "scheduled", said, _("it was overdue") if is_overdue else "")

    def _history(self, job: LegacyJob) -> Verdict:
        """Keep what is over, with its link and times; nothing of it goes out again by itself."""
        accounts = usable_accounts(self.owner).filter(platform=job.platform).order_by("-enabled", "pk")
        account = accounts.first()
        if account is None:
            label = registry.get(job.platform).label
            return Verdict(job, "skipped", _("%(label)s has no account here; connect one") % {"label": label})
        ended_at = job.completed_at or job.updated_at or job.scheduled_at or job.created_at
        is_out = job.status == "completed"
        with self._kept():
            post = Post.objects.create(
                owner=self.owner,
                text=job.text,
                timezone=self.zone,
                scheduled_at=job.scheduled_at or ended_at,
                status=PostStatus.PUBLISHED if is_out else PostStatus.FAILED,
            )
            Delivery.objects.create(
                post=post,
                account=account,
                status=DeliveryStatus.PUBLISHED if is_out else DeliveryStatus.FAILED,
                url=job.url,
                published_at=ended_at if is_out else None,
                error_code="" if is_out else ERROR_CODE,
                error_message="" if is_out else job.error or _("The old system gave no reason."),
                response={"legacy": {"id": job.id, "attempts": job.attempts}},
            )
            telling.happened(post, telling.CREATED, "")  # it is written here; it went out long ago
            self._finish(post, job)
        if is_out:
            return Verdict(job, "published", _("history: published on %(where)s") % {"where": shown(account)})
        return Verdict(job, "failed", _("history: failed on %(where)s") % {"where": shown(account)})

    def _time_of(self, job: LegacyJob) -> tuple[datetime, bool]:
        """Return when it goes out, and whether that is later than the old system meant."""
        meant = job.scheduled_at
        if meant is not None and meant >= self.start_at and meant < self.start_at + FARTHEST:
            return meant, False
        return self.start_at + self._overdue * self.interval, True

    def _why_draft(self, job: LegacyJob, missing: Sequence[str]) -> str:
        if job.status == "unclear":
            return _("the old system does not say whether it went out; look there before you publish it")
        return "; ".join(missing)

    def _start(self, post: Post, at: datetime) -> str:
        """Schedule ``post``; return why it cannot be, "" if it is."""
        try:
            with atomic():
                start(post, max(at, clock.now()), timezone=self.zone, actor=None)
        except (ValidationFailed, Refused) as error:
            return str(error)
        return ""

    def _finish(self, post: Post, job: LegacyJob) -> None:
        values = {"origin": _origin(job), "created_at": job.created_at, "updated_at": job.updated_at}
        Post.objects.filter(pk=post.pk).update(**{name: value for name, value in values.items() if value})

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """Write all or nothing; of a trial nothing."""
        with suppress(_Undone), atomic(), telling.told_at_the_end():
            yield
            if self.is_trial:
                raise _Undone

    @contextmanager
    def _files_of(self, job: LegacyJob) -> Iterator[tuple[list[Media], list[str]]]:
        """Give the row's files, taken in, and why others are not there. What no post has taken goes again."""
        taken: list[Media] = []
        missing: list[str] = []
        is_kept = False
        try:
            for path in job.files:
                try:
                    taken.append(self._taken_in(path))
                except NoRoom:
                    raise  # the row waits until there is
                except (ServiceError, OSError) as error:
                    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
                    missing.append(
                        _("the file %(path)s was not taken in: %(why)s") % {"path": path[-80:], "why": reason}
                    )
            yield taken, missing
            is_kept = not self.is_trial
        finally:
            for media in () if is_kept else taken:
                discard_upload(media)

    def _taken_in(self, path: str) -> Media:
        found = _below(self.media_root, path)
        if found is None:
            raise Refused(_("it is not below %(root)s") % {"root": self.media_root})
        with found.open("rb") as opened:
            return store_upload(File(opened, name=found.name), owner=self.owner, original_name=found.name)


def _below(root: Path, path: str) -> Path | None:
    """Return an ordinary file below ``root``: where ``path`` leads from there, else the one of its last name."""
    root = root.resolve()
    for candidate in (root / path, root / os.path.basename(path.replace("\\", "/"))):  # noqa: PTH119 - a foreign path
        try:
            found = candidate.resolve()
            if found.is_relative_to(root) and found.is_file():
                return found
        except (OSError, ValueError):  # a name that no file can have
            continue
    return None


def _origin(job: LegacyJob) -> str:
    return f"legacy:{job.id}"
