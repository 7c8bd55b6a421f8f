"""Making posts from the rows of a CSV file: first a trial that keeps nothing, then row by row, each all or nothing.

Both go through the services that the composer uses, so that what the trial says is what the import does. A row has a
token made from the import's own and its number: the same import sent twice makes no second post.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from posts.models import Post, PostStatus
from posts.selectors.posts import visible_posts
from posts.services.csv_reading import Row, Table
from posts.services.csv_rows import Finding, Known, Meaning, meaning_of
from posts.services.errors import ServiceError, ValidationFailed
from posts.services.posts import save_draft, schedule_post
from posts.services.queueing import deliveries_of
from posts.services.submissions import SubmittedAlready, keep_token, post_of_token
from posts.services.validation import notes_of, shown
from queue_app.database import atomic

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# What services call a field, where the column is called otherwise.
COLUMN_OF = {"thread_mode": "thread", "post": ""}
TIMES_AT_ONCE = 500


@dataclass
class Verdict:
    """What becomes of a row: what is ``made`` in words, or the ``problems`` for which it is refused."""

    number: int
    excerpt: str
    made: str = ""
    post_id: int | None = None
    is_new: bool = True
    problems: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether the row becomes a post."""
        return not self.problems


class _Undone(Exception):
    """Undoes what a trial has written."""


class CsvImport:
    """The import of one table for ``person`` (``None``: the site). Times without a zone are in ``zone``."""

    def __init__(self, table: Table, person: User | None, zone: str) -> None:
        self.table, self.person, self._zone = table, person, zone
        self._known = Known(table, person)

    def try_rows(self) -> list[Verdict]:
        """Return what would become of each row; nothing is kept."""
        verdicts = [self.try_row(row) for row in self.table.rows]
        self.warn_of_twins(verdicts)
        return verdicts

    def try_row(self, row: Row) -> Verdict:
        """Return what would become of ``row``: its post is made, looked at, and undone."""
        meaning = meaning_of(row, self._known, self._zone)
        verdict = Verdict(row.number, _excerpt(row), problems=meaning.problems, warnings=meaning.warnings)
        if meaning.problems:
            return verdict
        try:
            with atomic():
                post = self._make(meaning)
                verdict.made = _made(post, meaning)
                verdict.warnings += _warnings(post, meaning)
                raise _Undone
        except _Undone:
            pass
        except ServiceError as error:
            verdict.problems = list(_findings(error))
        return verdict

    def warn_of_twins(self, verdicts: Sequence[Verdict]) -> None:
        """Warn, in the verdicts of all rows, of those that say the same as one before them, or as a post that goes out
        at that very time."""
        meanings = [meaning_of(row, self._known, self._zone) for row in self.table.rows]
        stored = self._stored_at({meaning.at for meaning in meanings if meaning.at is not None})
        seen: dict[object, int] = {}
        for meaning, verdict in zip(meanings, verdicts, strict=True):
            said = (meaning.text.strip(), meaning.at)
            key = (*said, frozenset(account.pk for account in meaning.accounts), tuple(meaning.media))
            if key in seen and verdict.is_good:
                text = _("It is the same as row %(row)s") % {"row": seen[key]}
                verdict.warnings.append(Finding("text", text))
            seen.setdefault(key, verdict.number)
            if said in stored and verdict.is_good:
                text = _("Post %(post)s has this text and this time already") % {"post": stored[said]}
                verdict.warnings.append(Finding("text", text))

    def import_row(self, row: Row, token: UUID, note: Callable[[Post], None] = lambda post: None) -> Verdict:
        """Make the post of ``row``, once for each ``token`` of an import; ``note`` is called in its transaction."""
        own = uuid5(token, str(row.number))
        before = post_of_token(own)
        if before is not None:
            return _found(row, before)
        meaning = meaning_of(row, self._known, self._zone)
        verdict = Verdict(row.number, _excerpt(row), problems=meaning.problems)
        if meaning.problems:
            return verdict
        try:
            with atomic():
                post = self._make(meaning)
                keep_token(post, own)
                note(post)
        except SubmittedAlready:
            before = post_of_token(own)
            return _found(row, before) if before is not None else verdict
        except ServiceError as error:
            verdict.problems = list(_findings(error))
        else:
            verdict.made, verdict.post_id = _made(post, meaning), post.pk
        return verdict

    def _make(self, meaning: Meaning) -> Post:
        post = save_draft(
            post=None,
            owner=self.person,
            text=meaning.text,
            account_ids=[account.pk for account in meaning.accounts],
            media=meaning.media,
            own_texts=meaning.own_texts,
            thread_mode=meaning.thread_mode,
            first_comment=meaning.first_comment,
            language=meaning.language,
            timezone=meaning.timezone,
            tags=meaning.tags,
            actor=self.person,
        )
        if meaning.at is None:
            return post
        wall_time = meaning.wall_time
        return schedule_post(post, at=meaning.at, wall_time=wall_time, timezone=meaning.timezone, actor=self.person)

    def _stored_at(self, times: set[datetime]) -> dict[object, int]:
        posts = visible_posts(self.person) if self.person is not None else Post.objects.all()
        asked = list(times)
        found: dict[object, int] = {}
        for start in range(0, len(asked), TIMES_AT_ONCE):
            rows = posts.filter(scheduled_at__in=asked[start : start + TIMES_AT_ONCE])
            found |= {(text.strip(), at): pk for pk, text, at in rows.values_list("pk", "text", "scheduled_at")}
        return found


def _found(row: Row, post: Post) -> Verdict:
    return Verdict(row.number, _excerpt(row), _("Made already"), post.pk, is_new=False)


def _excerpt(row: Row) -> str:
    line = " ".join(row.cells.get("text", "")[:300].split())
    return line if len(line) <= 90 else line[:89] + "…"


def _made(post: Post, meaning: Meaning) -> str:
    """Return in words what a row has become."""
    where = ", ".join(shown(account) for account in meaning.accounts)
    files = ngettext("%(n)s file", "%(n)s files", len(meaning.media)) % {"n": len(meaning.media)}
    what = f"{where}; {files}" if meaning.media and where else where or (files if meaning.media else "")
    if post.status == PostStatus.DRAFT or post.scheduled_at is None:
        return _("Draft for %(where)s") % {"where": what} if what else _("Draft without an account")
    local = post.scheduled_at.astimezone(ZoneInfo(post.timezone))
    offset = local.strftime("%z")
    return _("Goes out on %(when)s (%(zone)s, %(offset)s): %(where)s") % {
        "when": date_format(local, "l, j F Y, H:i"),
        "zone": post.timezone.replace("_", " "),
        "offset": f"UTC{offset[:3]}:{offset[3:5]}",
        "where": what,
    }


def _warnings(post: Post, meaning: Meaning) -> Iterator[Finding]:
    if post.status == PostStatus.DRAFT and not meaning.accounts:
        yield Finding("accounts", _("It has no account yet"))
    for problem in notes_of(post, deliveries_of(post)):
        yield Finding(COLUMN_OF.get(problem.field, problem.field), problem.message)


def _findings(error: ServiceError) -> Iterator[Finding]:
    if not isinstance(error, ValidationFailed):
        yield Finding("", str(error))
        return
    for problem in error.problems:
        yield Finding(COLUMN_OF.get(problem.field, problem.field), problem.message)
