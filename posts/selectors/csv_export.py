"""Posts as the lines of a CSV file, in the columns that an import takes. Reads only, so many posts at a time."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo, available_timezones

from django.db.models import Prefetch, QuerySet

from posts.models import Account, Delivery, Media, Post, PostMedia
from posts.text.csv_cells import ALT_SEPARATOR, COLUMNS, guarded, joined, own_text_column
from posts.text.wall_time import WallTimeError, parse_wall_time

POSTS_AT_ONCE = 500
MARK = "\ufeff"  # by which spreadsheets know UTF-8


def exported_lines(posts: QuerySet[Post], accounts: QuerySet[Account], *, zone: str) -> Iterator[str]:
    """Yield the header and a line for each of ``posts``, newest first.

    ``accounts`` are those that the reader may use: others are not named, nor their texts. Times of posts without a zone
    are in ``zone``.
    """
    names = account_names(accounts)
    own = _accounts_with_texts(posts, names)
    write = csv.writer(_Echo(), quoting=csv.QUOTE_ALL).writerow
    yield MARK + write([guarded(name) for name in [*COLUMNS, *(own_text_column(names[pk]) for pk in own)]])
    for post in _in_pieces(posts):
        yield write([guarded(cell) for cell in _cells(post, names, own, zone)])


def account_names(accounts: Iterable[Account]) -> dict[int, str]:
    """Return how each account is named: by platform and name where that is one alone, else by its number."""
    rows = list(accounts)
    said = Counter(_name(account) for account in rows)
    folded = Counter(_name(account).casefold() for account in rows)
    return {
        account.pk: _name(account)
        if said[_name(account)] == folded[_name(account).casefold()] == 1
        else str(account.pk)
        for account in rows
    }


class _Echo:
    """Hands each line of a csv.writer back to whoever wrote it."""

    def write(self, line: str) -> str:
        return line


def _in_pieces(posts: QuerySet[Post]) -> Iterator[Post]:
    """Yield all posts, newest first, reading POSTS_AT_ONCE and what hangs on them at a time; no cursor stays open."""
    files = PostMedia.objects.select_related("media").order_by("position", "pk")
    deliveries = Delivery.objects.order_by("account__platform", "account__name", "pk").only(
        "post_id", "account_id", "text_override"
    )
    shown = posts.select_related(None).prefetch_related(None).order_by("-pk")
    shown = shown.prefetch_related(Prefetch("deliveries", deliveries), Prefetch("post_media", files), "tags")
    below: int | None = None
    while True:
        piece = list((shown if below is None else shown.filter(pk__lt=below))[:POSTS_AT_ONCE])
        yield from piece
        if len(piece) < POSTS_AT_ONCE:
            return
        below = piece[-1].pk


def _cells(post: Post, names: Mapping[int, str], own: Sequence[int], zone: str) -> Iterator[str]:
    deliveries = {delivery.account_id: delivery for delivery in post.deliveries.all()}
    files = list(post.post_media.all())
    yield post.text
    yield joined(names[pk] for pk in deliveries if pk in names)
    yield from _time(post, zone)
    yield post.status
    yield joined(tag.name for tag in post.tags.all())
    yield joined(_file_name(file.media) for file in files)
    texts = [file.alt_text for file in files]
    yield (texts[0] if len(texts) == 1 else joined(texts, ALT_SEPARATOR)) if any(texts) else ""
    yield post.first_comment
    yield post.thread_mode
    yield post.language
    for pk in own:
        yield (deliveries[pk].text_override or "") if pk in deliveries else ""


def _time(post: Post, zone: str) -> tuple[str, str]:
    """Return the wall time and its zone; with its offset where the wall time alone would not say which is meant."""
    if post.scheduled_at is None:
        return "", post.timezone
    name = post.timezone if post.timezone in available_timezones() else zone
    local = post.scheduled_at.astimezone(ZoneInfo(name))
    wall = _written(local.replace(tzinfo=None, fold=0))
    try:
        is_plain = parse_wall_time(wall, name) == post.scheduled_at.replace(microsecond=0)
    except WallTimeError:
        is_plain = False
    return wall if is_plain else _written(local), name


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds" if moment.second else "minutes")


def _name(account: Account) -> str:
    return f"{account.platform}:{account.name}"


def _file_name(media: Media) -> str:
    return f"{media.pk}:{media.original_name}"


def _accounts_with_texts(posts: QuerySet[Post], names: Mapping[int, str]) -> list[int]:
    """Return the accounts for which any of the posts has a text of its own, in the order of their names."""
    chosen = posts.select_related(None).prefetch_related(None).order_by().values("pk")
    with_text = Delivery.objects.filter(post__in=chosen, text_override__isnull=False)
    found = with_text.order_by().values_list("account", flat=True).distinct()
    return sorted((pk for pk in found if pk in names), key=lambda pk: names[pk])
