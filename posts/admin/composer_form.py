"""What the composer sends: the post's fields, its files and its accounts, read once. Writes only uploads.

Uploads are stored before any transaction (a slow disk must not hold the database's lock); the form carries their ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.utils.translation import gettext as _

from posts.admin.composer_fields import ComposerForm
from posts.admin.composer_rows import AccountRow, PictureRow, option_name
from posts.admin.repeat_form import repeat_initial
from posts.models import Account, Media, Post, PostStatus
from posts.publishing.types import Option
from posts.selectors.posts import usable_accounts, usable_media
from posts.services.errors import NoRoom, Problem, ValidationFailed
from posts.services.media import store_upload
from posts.services.options import options_from
from queue_app.admin.asked import whole_number

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MOST_PROPOSED = 50


class Composer:
    """Everything on the page, from the stored post or from what was sent. ``problems`` belong to no one field."""

    def __init__(self, person: User, post: Post | None, zone: str) -> None:
        self.person, self.post, self.zone = person, post, zone
        self.form = ComposerForm(zone=zone, initial=_initial(post, zone))
        self.problems: list[str] = []
        self.picture_problems: list[str] = []
        deliveries = list(post.deliveries.all()) if post is not None else []
        chosen = {delivery.account_id: delivery.text_override or "" for delivery in deliveries}
        options = {delivery.account_id: delivery.options for delivery in deliveries}
        usable = usable_accounts(person) | Account.objects.filter(pk__in=chosen)
        self.accounts = [
            AccountRow(account, account.pk in chosen, chosen.get(account.pk, ""), options.get(account.pk, {}))
            for account in usable.distinct()
        ]
        kept = post.post_media.select_related("media") if post is not None else []
        self.pictures = [PictureRow(picture.media, picture.alt_text, n) for n, picture in enumerate(kept, 1)]

    def read(self, request: HttpRequest) -> bool:
        """Take over what was sent, storing uploads; return whether it can be worked with."""
        self.listen(request)
        self._store_uploads(request.FILES.getlist("new_pictures"))
        self._number_pictures()
        return self.form.is_valid() and not self.picture_problems

    def listen(self, request: HttpRequest) -> None:
        """Take over what was sent, without its uploads; nothing is stored."""
        self.form = ComposerForm(request.POST, zone=self.zone, initial=_initial(self.post, self.zone))
        chosen = set(request.POST.getlist("accounts"))
        for row in self.accounts:
            row.chosen = str(row.account.pk) in chosen
            row.own_text = request.POST.get(f"own_{row.account.pk}", "").replace("\r\n", "\n")
            given = {option.name: _sent_option(request, row, option) for option in row.offered}
            row.options = options_from(given, row.offered)
        self.pictures = self._kept_pictures(request)
        self._number_pictures()

    def propose(self, asked: Mapping[str, str]) -> None:
        """Begin with what an address asked for: ``at`` (a wall time), an ``account``, ``media`` (ids of files)."""
        if asked.get("at"):
            self.form.initial["goes_out"] = asked["at"][:40]
        for row in self.accounts:
            row.chosen = row.chosen or str(row.account.pk) == asked.get("account")
        if not asked.get("media"):
            return
        wanted = [whole_number(value) for value in asked.get("media", "").split(",")[:MOST_PROPOSED]]
        found = usable_media(self.person).filter(file_deleted_at=None).in_bulk([key for key in wanted if key])
        self.pictures = [PictureRow(media, media.alt_text) for media in map(found.get, dict.fromkeys(wanted)) if media]
        self._number_pictures()

    def tell(self, problems: Iterable[Problem]) -> None:
        """Put each problem where the person looks: beside its account, its field, or on top."""
        names = {"scheduled_at": "goes_out", "expires_at": "drop_after", "rule": "repeats", "ends_on": "repeat_until"}
        rows = {row.account.pk: row for row in self.accounts}
        for problem in problems:
            name = names.get(problem.field, problem.field)
            if problem.account is not None and problem.account.pk in rows:
                rows[problem.account.pk].problems.append(problem.message)
                rows[problem.account.pk].wrong.add(problem.field)
            elif name in ("media", "alt_text"):
                self.picture_problems.append(problem.message)
            elif name in self.form.fields:
                self.form.add_error(name, problem.message)
            else:
                self.problems.append(problem.message)

    def instant(self, name: str, stored: datetime | None) -> datetime | None:
        """Return the instant of the wall time in ``name``; ``stored`` where nobody touched it."""
        return self.form.instant(name) if self.form.moved(name) else stored

    @property
    def chosen(self) -> list[AccountRow]:
        """Return the accounts that were ticked."""
        return [row for row in self.accounts if row.chosen]

    @property
    def has_errors(self) -> bool:
        """Return whether anything on the page is said to be wrong."""
        beside = any(row.problems for row in self.accounts)
        return bool(self.problems or self.picture_problems or self.form.errors or beside)

    def _number_pictures(self) -> None:
        for number, picture in enumerate(self.pictures, 1):
            picture.position = number

    def _kept_pictures(self, request: HttpRequest) -> list[PictureRow]:
        ids = [value for value in dict.fromkeys(request.POST.getlist("picture")) if whole_number(value) is not None]
        gone = set(request.POST.getlist("remove"))
        usable = usable_media(self.person)
        if self.post is not None:
            usable = usable | Media.objects.filter(pk__in=self.post.post_media.values("media"))
        found = {str(media.pk): media for media in usable.filter(pk__in=ids).distinct()}
        rows = [
            PictureRow(
                found[key],
                request.POST.get(f"alt_{key}", "").replace("\r\n", "\n"),
                whole_number(request.POST.get(f"position_{key}")) or 0,
            )
            for key in ids
            if key in found and key not in gone
        ]
        return sorted(rows, key=lambda row: row.position)

    def _store_uploads(self, uploads: Iterable[UploadedFile[bytes]]) -> None:
        for upload in uploads:
            if not self.person.has_perm("posts.add_media"):
                self.picture_problems.append(_("You may not upload files; ask an administrator for the permission."))
                return
            try:
                media = store_upload(upload, owner=self.person, original_name=upload.name or "")
            except ValidationFailed as refused:
                self.picture_problems += [problem.message for problem in refused.problems]
            except NoRoom as full:
                self.picture_problems.append(str(full))
            else:
                self.pictures.append(PictureRow(media))


def _sent_option(request: HttpRequest, row: AccountRow, option: Option) -> str:
    """Return what was sent for an option; a box that is not ticked sends nothing, and means no."""
    name = option_name(row.account, option)
    return request.POST.get(name, "no" if option.kind == "bool" else "")


def _initial(post: Post | None, zone: str) -> dict[str, Any]:
    if post is None:
        return {}
    zone = post.timezone or zone
    at = _wall(post.scheduled_at, zone) if post.status == PostStatus.SCHEDULED else ""
    return {
        "text": post.text,
        "language": post.language,
        "thread_mode": post.thread_mode,
        "first_comment": post.first_comment,
        "priority": post.priority,
        "version": post.version,
        "tags": ", ".join(post.tags.values_list("name", flat=True)),
        "timezone": zone,
        "goes_out": at,
        "fold": str(post.scheduled_at.astimezone(ZoneInfo(zone)).fold) if at and post.scheduled_at else "",
        "drop_after": _wall(post.expires_at, zone),
        **repeat_initial(post),
    }


def _wall(at: datetime | None, zone: str) -> str:
    """Return the wall time that a form shows for ``at``, without seconds where there are none."""
    if at is None:
        return ""
    local = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None, microsecond=0)
    return local.isoformat(timespec="seconds" if local.second else "minutes")
