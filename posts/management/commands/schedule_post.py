"""Write a post and schedule it from the command line: parse, call the services, print."""

from __future__ import annotations

import json
from argparse import Action, ArgumentParser, Namespace
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.core.files import File
from django.core.management.base import CommandError
from django.utils.timezone import get_default_timezone_name

from posts.models import Media, Post
from posts.services.errors import Refused, ServiceError
from posts.services.media import discard_upload, store_upload
from posts.services.posts import publish_now, save_draft, schedule_post
from posts.services.queueing import deliveries_of
from posts.services.validation import notes_of
from posts.text.wall_time import AmbiguousError, WallTimeError, parse_wall_time
from queue_app.database import atomic
from queue_app.management.base import OneLineCommand


class InOrder(Action):
    """Keeps --media and --alt in one list, so that each alt text stays with the file before it."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option_string: str | None = None
    ) -> None:
        """Append (option, value)."""
        namespace.pictures = [*(getattr(namespace, "pictures", None) or []), (option_string, values)]


class Command(OneLineCommand):
    help = "Write a post and schedule it; without --at it is published now. All of it is saved, or nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options. Their values are judged in ``handle``, so that a wrong one is a line and exit code 1."""
        parser.add_argument("--account", action="append", default=[], metavar="ID", help="an account's id; repeatable")
        parser.add_argument("--text", default="", help="the text of the post")
        parser.add_argument(
            "--media",
            action=InOrder,
            dest="pictures",
            metavar="FILE",
            help="a picture, video or PDF; repeatable",
        )
        parser.add_argument(
            "--alt", action=InOrder, dest="pictures", metavar="TEXT", help="alt text of the last --media"
        )
        parser.add_argument(
            "--option",
            action="append",
            default=[],
            metavar="[ID:]NAME=VALUE",
            help="what to choose on the platform of account ID, or of every account; see manage.py platforms",
        )
        parser.add_argument(
            "--thread", choices=("split", "numbered"), default="", help="split a long text into a thread"
        )
        parser.add_argument("--first-comment", default="", metavar="TEXT", help="goes below the post, where it can")
        parser.add_argument("--at", metavar="ISO", help="like 2026-03-29T14:30 or 2026-03-29T14:30+02:00")
        parser.add_argument(
            "--timezone", default="", metavar="ZONE", help="like Europe/Berlin; else the site's TIME_ZONE"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object, with the post's id")

    def handle(self, *args: Any, **options: Any) -> None:
        """Save, schedule and print; a file that was stored for a refused post is removed again."""
        account_ids = _ids(options["account"])
        zone = options["timezone"] or get_default_timezone_name()
        at = _instant(options["at"], zone) if options["at"] is not None else None
        stored: list[Media] = []
        try:
            media = _store(_pairs(options["pictures"] or []), stored)
            fields = {"thread_mode": options["thread"], "first_comment": options["first_comment"]}
            chosen = _options(options["option"], account_ids)
            post = _write(options["text"], account_ids, media, at, zone, options=chosen, **fields)
        except BaseException as error:
            for picture in stored:
                with suppress(Refused):
                    discard_upload(picture)
            if isinstance(error, ServiceError):
                raise CommandError(_one_line(error)) from None
            raise
        for note in notes_of(post, deliveries_of(post)):
            self.stderr.write(_one_line(note.message))
        self._print(post, options, zone)

    def _print(self, post: Post, options: dict[str, Any], zone: str) -> None:
        at = post.scheduled_at.isoformat() if post.scheduled_at else None
        if options["at"] and not options["timezone"] and datetime.fromisoformat(options["at"].strip()).tzinfo is None:
            self.stderr.write(f"--at was read in the site's time zone, {zone}; name another with --timezone.")
        if options["json"]:
            self.stdout.write(json.dumps({"id": post.pk, "status": post.status, "scheduled_at": at}))
            return
        local = post.scheduled_at.astimezone(ZoneInfo(post.timezone)) if post.scheduled_at else None
        when = f"for {local:%Y-%m-%d %H:%M:%S} ({post.timezone})" if options["at"] else "to go out now"
        self.stdout.write(f"Post {post.pk} is scheduled {when}. See how it goes: manage.py show_post {post.pk}")


def _ids(words: Sequence[str]) -> list[int]:
    if not words:
        raise CommandError("A post needs an account: add --account ID (connect_account prints the id)")
    for word in words:
        if not (word.isascii() and word.isdigit() and len(word) < 19):
            raise CommandError(f"--account takes the id of an account, a number, not “{word[:40]}”")
    return [int(word) for word in words]


def _options(words: Sequence[str], account_ids: Sequence[int]) -> dict[int, dict[str, str]]:
    """Return what was chosen, by account and name; a list is written with \\n between its entries."""
    chosen: dict[int, dict[str, str]] = {}
    for word in words:
        target, colon, rest = word.partition(":")
        named = bool(colon) and target.isascii() and target.isdigit() and int(target) in account_ids
        name, equals, value = (rest if named else word).partition("=")
        if not equals:
            raise CommandError(f"--option takes NAME=VALUE or ID:NAME=VALUE, not “{word[:60]}”")
        for account_id in [int(target)] if named else account_ids:
            chosen.setdefault(account_id, {})[name.strip()] = value.replace("\\n", "\n")
    return chosen


def _instant(text: str, zone: str) -> datetime:
    try:
        return parse_wall_time(text, zone)
    except AmbiguousError as error:
        first, second = (at.astimezone(ZoneInfo(zone)).isoformat() for at in (error.earlier, error.later))
        raise CommandError(f"{error} Write it with its offset: --at {first} or --at {second}") from None
    except WallTimeError as error:
        raise CommandError(_one_line(error)) from None


def _pairs(arguments: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return (file, alt text) for each --media."""
    pairs: list[tuple[str, str]] = []
    has_alt = True
    for option, value in arguments:
        if option == "--media":
            pairs.append((value, ""))
        elif has_alt:
            raise CommandError("--alt belongs to the --media right before it; give each file one alt text at most")
        else:
            pairs[-1] = (pairs[-1][0], value)
        has_alt = option == "--alt"
    return pairs


def _store(pairs: Sequence[tuple[str, str]], stored: list[Media]) -> list[tuple[int, str]]:
    """Store the files, adding each to ``stored`` at once; return (id, alt text)."""
    chosen = []
    for name, alt_text in pairs:
        try:
            with Path(name).open("rb") as file:
                media = store_upload(File(file, name=name), owner=None, original_name=name)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise CommandError(_one_line(f"The file {name} cannot be read: {reason}")) from None
        stored.append(media)
        chosen.append((media.pk, alt_text))
    return chosen


def _write(
    text: str,
    account_ids: Sequence[int],
    media: Sequence[tuple[int, str]],
    at: datetime | None,
    zone: str,
    **fields: Any,
) -> Post:
    with atomic():
        post = save_draft(
            post=None, owner=None, text=text, account_ids=account_ids, media=media, timezone=zone, **fields
        )
        return publish_now(post) if at is None else schedule_post(post, at=at)


def _one_line(error: object) -> str:
    return " ".join(str(error).split())
