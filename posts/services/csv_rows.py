"""What a row of a CSV file means: which accounts, files, time and texts. Reads only; what it means is not judged here.

Accounts and files are found among those that the person may use, once for the whole file.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from posts.models import Account, Media, PostStatus, ThreadMode
from posts.publishing import registry
from posts.selectors.posts import usable_accounts, usable_media
from posts.services.csv_reading import Row, Table
from posts.text.csv_cells import ALT_SEPARATOR, own_text_of, split
from posts.text.storable import is_storable
from posts.text.wall_time import UnknownZone, WallTimeError, parse_wall_time

if TYPE_CHECKING:
    from django.contrib.auth.models import User

DRAFT, SCHEDULED = "draft", "scheduled"
THREADS = {"": "", "off": "", "no": "", **{mode: mode for mode in ThreadMode.values}}
_WHOLE = re.compile(r"[0-9]{1,18}")
_NUMBERED = re.compile(r"([0-9]{1,18}):(.*)", re.DOTALL)
NAMES_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to say of a row: in which column, and what."""

    field: str
    message: str


@dataclass
class Meaning:
    """What a row asks for. ``at`` (aware) is set where it is to be scheduled; ``wall_time`` is what was written."""

    text: str = ""
    accounts: list[Account] = field(default_factory=list)
    own_texts: dict[int, str] = field(default_factory=dict)
    media: list[tuple[int, str]] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    first_comment: str = ""
    thread_mode: str = ""
    language: str = ""
    timezone: str = ""
    at: datetime | None = None
    wall_time: str = ""
    problems: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)


class Known:
    """The accounts and files that the rows of a table may name."""

    def __init__(self, table: Table, person: User | None) -> None:
        self._by_id: dict[int, Account] = {}
        self._by_name: dict[str, list[Account]] = defaultdict(list)
        for account in usable_accounts(person):
            self._by_id[account.pk] = account
            for name in {name.casefold() for name in names_of(account)}:
                self._by_name[name].append(account)
        words = {word for row in table.rows for word in split(row.cells.get("media", ""))}
        self._files = _files_named(words, person)

    def account(self, word: str) -> Account | str:
        """Return the account that ``word`` names, or why there is no such one."""
        number = int(word) if _WHOLE.fullmatch(word) else None
        if number in self._by_id:
            return self._by_id[number]
        found = self._by_name.get(word.casefold(), [])
        exact = [account for account in found if word in names_of(account)]
        if len(exact or found) == 1:
            return (exact or found)[0]
        if not found:
            return _("There is no account “%(name)s” that you can use") % {"name": word[:80]}
        ids = ", ".join(str(account.pk) for account in found[:5])
        text = _("%(n)s accounts are called “%(name)s”; write the number of one: %(ids)s")
        return text % {"n": len(found), "name": word[:80], "ids": ids}

    def file(self, word: str) -> Media | str:
        """Return the file that ``word`` names, or why there is no such one."""
        found = self._files.get(word, [])
        if len(found) == 1:
            return found[0]
        if not found:
            return _("There is no file “%(name)s” in the library that you can use") % {"name": word[:80]}
        ids = ", ".join(str(media.pk) for media in found[:5])
        text = _("%(n)s files are called “%(name)s”; write the number of one: %(ids)s")
        return text % {"n": len(found), "name": word[:80], "ids": ids}


def names_of(account: Account) -> tuple[str, str, str]:
    """Return how a row may name ``account`` beside its number: its name, and that after its platform's."""
    platform = registry.platforms().get(account.platform)
    label = platform.label if platform is not None else account.platform
    return account.name, f"{account.platform}:{account.name}", f"{label}:{account.name}"


def meaning_of(row: Row, known: Known, zone: str) -> Meaning:
    """Return what ``row`` asks for; times without a zone of their own are in ``zone``."""
    found = Meaning()
    if row.problem:
        found.problems.append(Finding("", row.problem))
        return found
    cells = {column: cell.replace("\r\n", "\n") for column, cell in row.cells.items()}
    found.text = cells.get("text", "")
    found.first_comment = cells.get("first_comment", "")
    found.language = cells.get("language", "").strip()
    found.timezone = cells.get("timezone", "").strip()
    found.tags = [tag for word in split(cells.get("tags", "")) for tag in word.split(",")]
    _read_accounts(found, split(cells.get("accounts", "")), known)
    _read_own_texts(found, cells, known)
    _read_files(found, cells, known)
    _read_thread(found, cells.get("thread", "").strip().lower())
    _read_time(found, cells, zone)
    return found


def _read_accounts(found: Meaning, words: Sequence[str], known: Known) -> None:
    for word in filter(None, words):
        account = known.account(word)
        if isinstance(account, str):
            found.problems.append(Finding("accounts", account))
        elif account in found.accounts:
            found.warnings.append(Finding("accounts", _("“%(name)s” is there twice") % {"name": word[:80]}))
        else:
            found.accounts.append(account)


def _read_own_texts(found: Meaning, cells: Mapping[str, str], known: Known) -> None:
    for column, cell in cells.items():
        word = own_text_of(column)
        if word is None or not cell.strip():
            continue
        account = known.account(word)
        if isinstance(account, str):
            found.problems.append(Finding(column, account))
        elif account not in found.accounts:
            text = _("There is a text for “%(name)s”, but the post does not go out there; add the account")
            found.problems.append(Finding(column, text % {"name": word[:80]}))
        elif account.pk in found.own_texts:
            found.problems.append(Finding(column, _("“%(name)s” has two texts of its own") % {"name": word[:80]}))
        else:
            found.own_texts[account.pk] = cell


def _read_files(found: Meaning, cells: Mapping[str, str], known: Known) -> None:
    words, cell = [word for word in split(cells.get("media", "")) if word], cells.get("alt_text", "")
    # One file takes the whole cell, whatever signs are in it.
    texts = [cell.strip()] if len(words) == 1 and cell.strip() else split(cell, ALT_SEPARATOR)
    if len(texts) > len(words):
        message = ngettext(
            "There is %(n)s alt text, for %(files)s files",
            "There are %(n)s alt texts, for %(files)s files; they are separated by “|”",
            len(texts),
        )
        found.problems.append(Finding("alt_text", message % {"n": len(texts), "files": len(words)}))
        return
    for word, alt_text in zip(words, [*texts, *[""] * len(words)], strict=False):
        media = known.file(word)
        if isinstance(media, str):
            found.problems.append(Finding("media", media))
        else:
            found.media.append((media.pk, alt_text))


def _read_thread(found: Meaning, word: str) -> None:
    if word in THREADS:
        found.thread_mode = THREADS[word]
        return
    text = _("“%(word)s” is no way to split a long text; write split, numbered or nothing")
    found.problems.append(Finding("thread", text % {"word": word[:40]}))


def _read_time(found: Meaning, cells: Mapping[str, str], zone: str) -> None:
    written, status = cells.get("scheduled_at", "").strip(), cells.get("status", "").strip().lower().replace(" ", "_")
    if status not in ("", *PostStatus.values):
        text = _("“%(status)s” is no status; write draft, scheduled or nothing")
        found.problems.append(Finding("status", text % {"status": status[:40]}))
        return
    if status not in ("", DRAFT, SCHEDULED):
        text = _("The post is %(status)s where the file comes from; here it becomes a draft")
        found.warnings.append(Finding("status", text % {"status": PostStatus(status).label.lower()}))
        return
    if status == DRAFT and written:
        found.warnings.append(Finding("scheduled_at", _("A draft has no time: it is left out")))
    if status == SCHEDULED and not written:
        found.problems.append(
            Finding("scheduled_at", _("A scheduled post needs a time; write one, or make it a draft"))
        )
    if status == DRAFT or not written:
        return
    found.timezone = found.timezone or zone
    try:
        found.at = parse_wall_time(written, found.timezone)
    except WallTimeError as error:
        column = "timezone" if isinstance(error, UnknownZone) else "scheduled_at"
        found.problems.append(Finding(column, str(error)))
        return
    moment = datetime.fromisoformat(written)
    found.wall_time = moment.isoformat(timespec="seconds") if moment.tzinfo is None else ""


def _files_named(words: Iterable[str], person: User | None) -> dict[str, list[Media]]:
    """Return the files that each word names: a number, a name, or both as ``12:cat.jpg``, which then must agree."""
    usable = usable_media(person).filter(file_deleted_at=None)
    wanted = [word for word in words if is_storable(word)]  # no database can be asked for another
    numbers = {int(found[1]) for word in wanted if (found := _NUMBERED.fullmatch(word))}
    numbers |= {int(word) for word in wanted if _WHOLE.fullmatch(word)}
    by_id = usable.in_bulk(list(numbers))
    by_name: dict[str, list[Media]] = defaultdict(list)
    for start in range(0, len(wanted), NAMES_AT_ONCE):
        for media in usable.filter(original_name__in=wanted[start : start + NAMES_AT_ONCE]).order_by("-pk"):
            by_name[media.original_name].append(media)
    named: dict[str, list[Media]] = {}
    for word in wanted:
        numbered = _NUMBERED.fullmatch(word)
        chosen = by_id.get(int(numbered[1] if numbered else word)) if numbered or _WHOLE.fullmatch(word) else None
        if numbered and chosen is not None and chosen.original_name != numbered[2].strip():
            chosen = None
        named[word] = [chosen] if chosen is not None else by_name.get(word, [])
    return named
