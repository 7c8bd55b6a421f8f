"""What the composer sends: the post's fields, its files and its accounts, read once. Writes only uploads.

Uploads are stored before any transaction (a slow disk must not hold the database's lock); the form carries their ids.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from posts.admin.wall_time import WallTimeForm, wall_time_field
from posts.models import Account, Delivery, Media, Post, PostMedia, PostStatus, ThreadMode
from posts.publishing import registry
from posts.publishing.types import Json, Option
from posts.selectors.posts import usable_accounts, usable_media
from posts.services.errors import NoRoom, Problem, ValidationFailed
from posts.services.media import store_upload
from posts.services.media_fit import NAMES, most_of
from posts.services.options import chosen_of, offered, options_from
from posts.services.validation import account_problems, content_problems, notes_of
from posts.services.wording import variables_of
from posts.text.variables import fill
from queue_app.admin.asked import whole_number
from queue_app.models import PRIORITY_FIRST, PRIORITY_LAST

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PRIORITY_WORDS = {2: _("2 – high"), 5: _("5 – normal"), 8: _("8 – low")}


class ComposerForm(WallTimeForm):
    """The post's own fields. ``token`` makes a form that is sent twice one post; ``version`` shows who was faster."""

    text = forms.CharField(
        label=_("Text"), required=False, strip=False, widget=forms.Textarea(attrs={"rows": 8, "dir": "auto"})
    )
    thread_mode = forms.ChoiceField(
        label=_("Long text"),
        required=False,
        choices=ThreadMode.choices,
        help_text=_("A line of three dashes splits a thread by hand. Networks without threads get one post."),
    )
    first_comment = forms.CharField(
        label=_("First comment"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 2, "dir": "auto"}),
        help_text=_("Goes below the post, as its first reply, where the network has comments."),
    )
    language = forms.CharField(
        label=_("Language"),
        required=False,
        max_length=35,
        widget=forms.TextInput(attrs={"size": 10, "placeholder": "en"}),
        help_text=_("A code such as en or pt-BR, for screen readers and translation. May stay empty."),
    )
    goes_out = wall_time_field(_("Goes out"), help_text=_("The time on the clocks of the zone below."))
    drop_after = wall_time_field(
        _("Drop if not out by"),
        help_text=_("In the same zone. Empty: a day after it was due. A post never goes out later than this."),
    )
    priority = forms.TypedChoiceField(
        label=_("Priority"),
        coerce=int,
        initial=5,
        choices=[(n, PRIORITY_WORDS.get(n, str(n))) for n in range(PRIORITY_FIRST, PRIORITY_LAST + 1)],
        help_text=_("Which goes first where many are due at once."),
    )
    token = forms.UUIDField(widget=forms.HiddenInput)
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Mapping[str, Any] | None = None, *, zone: str, **kwargs: Any) -> None:
        super().__init__(data, zone=zone, **kwargs)
        self.fields["token"].initial = uuid.uuid4

    def clean_text(self) -> str:
        """Return the text with the line ends that platforms count, not those of a form."""
        return str(self.cleaned_data["text"]).replace("\r\n", "\n")

    def clean_first_comment(self) -> str:
        """Return the comment with the line ends that platforms count."""
        return str(self.cleaned_data["first_comment"]).replace("\r\n", "\n")

    def moved(self, name: str) -> bool:
        """Return whether the wall time in ``name``, or its zone, is another than the page showed."""
        return name in self.changed_data or "timezone" in self.changed_data


@dataclass
class PictureRow:
    """One picture, video or document in the form: its alt text, and the number that orders it."""

    media: Media
    alt_text: str = ""
    position: int = 0


@dataclass
class OptionField:
    """One option of a platform on the page: its name in the form and what it shows."""

    account: Account
    option: Option
    value: Any
    is_wrong: bool = False

    @property
    def described_by(self) -> str:
        """Return the ids of what is said about the field: what is wrong with it, its help."""
        wrong = f"account_{self.account.pk}_errors" if self.is_wrong else ""
        return " ".join(filter(None, [wrong, f"{self.name}_help" if self.option.help else ""]))

    @property
    def name(self) -> str:
        """Return the name of the field in the form."""
        return option_name(self.account, self.option)

    @property
    def shown(self) -> str:
        """Return the value as the field shows it."""
        return "\n".join(map(str, self.value)) if isinstance(self.value, list) else str(self.value)


def option_name(account: Account, option: Option) -> str:
    """Return the name of an option's field in the form."""
    return f"option_{account.pk}_{option.name}"


@dataclass
class AccountRow:
    """One account in the form: whether it is chosen, its own text, and what is wrong with the post there.

    ``wrong`` are the fields and options that ``problems`` are about.
    """

    account: Account
    chosen: bool = False
    own_text: str = ""
    options: Json = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    wrong: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    @property
    def option_fields(self) -> list[OptionField]:
        """Return what the person may choose for the platform, each with what is chosen."""
        return [
            OptionField(self.account, option, self.options.get(option.name, option.default), option.name in self.wrong)
            for option in self.offered
        ]

    @property
    def shows_options(self) -> bool:
        """Return whether the options are open at first: something was chosen, is wrong, or has to be chosen."""
        needed = any(option.required and option.default in ("", None) for option in self.offered) and self.chosen
        return needed or bool(self.wrong) or bool(chosen_of(self.options, self.offered))

    @property
    def offered(self) -> Sequence[Option]:
        """Return what the platform offers on this account."""
        platform = registry.platforms().get(self.account.platform)
        return offered(platform, self.account.config) if platform is not None else ()

    @property
    def platform_label(self) -> str:
        """Return the platform's name for people."""
        platform = registry.platforms().get(self.account.platform)
        return platform.label if platform is not None else self.account.platform

    @property
    def trouble(self) -> str:
        """Return why nothing can go out to the account right now, "" if it can."""
        return "; ".join(problem.message for problem in account_problems(self.account))

    @property
    def limits(self) -> str:
        """Return the platform's limits in words."""
        platform = registry.platforms().get(self.account.platform)
        if platform is None:
            return ""
        able = platform.capabilities_for(self.account.config)
        text = min((limit.maximum for limit in able.text), default=0)
        files = [f"{most} {NAMES[kind][most != 1]}" for kind, most in most_of(able).items() if most]
        more = [word for word, able_to in (("threads", able.threads), ("first comment", able.comment)) if able_to]
        return ", ".join([f"{text:,} characters", *files, *more])

    @property
    def has_threads(self) -> bool:
        """Return whether a text that is too long may become a thread."""
        platform = registry.platforms().get(self.account.platform)
        return platform is not None and platform.capabilities_for(self.account.config).threads

    @property
    def wording_json(self) -> str:
        """Return what the account's texts get, for the live counter, as JSON."""
        account = self.account
        signature = fill(account.signature.strip(), variables_of(account))
        return json.dumps({"variables": variables_of(account), "utm": account.utm, "signature": signature})

    @property
    def counted_json(self) -> str:
        """Return the text limits for the live counter, with and without pictures, as JSON."""
        platform = registry.platforms().get(self.account.platform)
        if platform is None:
            return "[]"
        return json.dumps(
            [
                {
                    "unit": limit.unit,
                    "maximum": limit.maximum,
                    "link_length": limit.link_length,
                    "with_media": with_media,
                }
                for with_media in (False, True)
                for limit in platform.capabilities_for(self.account.config).text_limits(with_media=with_media)
            ]
        )


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
        self.form = ComposerForm(request.POST, zone=self.zone, initial=_initial(self.post, self.zone))
        chosen = set(request.POST.getlist("accounts"))
        for row in self.accounts:
            row.chosen = str(row.account.pk) in chosen
            row.own_text = request.POST.get(f"own_{row.account.pk}", "").replace("\r\n", "\n")
            given = {option.name: _sent_option(request, row, option) for option in row.offered}
            row.options = options_from(given, row.offered)
        self.pictures = self._kept_pictures(request)
        self._store_uploads(request.FILES.getlist("new_pictures"))
        for number, picture in enumerate(self.pictures, 1):
            picture.position = number
        return self.form.is_valid() and not self.picture_problems

    def tell(self, problems: Iterable[Problem]) -> None:
        """Put each problem where the person looks: beside its account, its field, or on top."""
        names = {"scheduled_at": "goes_out", "expires_at": "drop_after"}
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

    def judge(self) -> None:
        """Say beside each chosen account what is wrong with the post there and what should be known; saves nothing."""
        given = self.form.cleaned_data
        at = self.instant("goes_out", self.post.scheduled_at if self.post is not None else None)
        post = Post(
            text=given["text"],
            language=given["language"],
            thread_mode=given["thread_mode"],
            first_comment=given["first_comment"],
            scheduled_at=at,
        )
        files = [
            PostMedia(post=post, media=row.media, alt_text=row.alt_text, position=place)
            for place, row in enumerate(self.pictures)
        ]
        deliveries = [
            Delivery(post=post, account=row.account, text_override=row.own_text or None, options=row.options)
            for row in self.chosen
        ]
        self.tell(content_problems(post, deliveries, files))
        rows = {row.account.pk: row for row in self.accounts}
        for note in notes_of(post, deliveries, files):
            if note.account is not None:
                rows[note.account.pk].notes.append(note.message)

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
                self.picture_problems.append("You may not upload files; ask an administrator for the permission.")
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
        "timezone": zone,
        "goes_out": at,
        "drop_after": _wall(post.expires_at, zone),
    }


def _wall(at: datetime | None, zone: str) -> str:
    """Return the wall time that a form shows for ``at``, without seconds where there are none."""
    if at is None:
        return ""
    local = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None, microsecond=0)
    return local.isoformat(timespec="seconds" if local.second else "minutes")
