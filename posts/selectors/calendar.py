"""What lies in a span of time, for a person: so many posts a cell, and the first few of each. Reads only.

Posts are counted by quarters of an hour, because the clocks of every zone differ by whole quarters: one short answer
counts the cells of any view in any zone. Then only the first posts of each cell are read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from django.db.models import BigIntegerField, Count, Func, Prefetch, Q, QuerySet

from posts.models import Delivery, Post, PostMedia, PostStatus
from posts.selectors.posts import having, visible_posts

if TYPE_CHECKING:
    from posts.selectors.posts import Person

QUARTER_SECONDS = 900
QUARTER = timedelta(seconds=QUARTER_SECONDS)
# More cards on one page are no overview any more, and take long to draw.
MOST_IN_ALL = 200
Range = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Filters:
    """What of the posts is asked for; nothing is everything. ``tag`` is a tag's name, ``state`` a post's status."""

    account: int | None = None
    platform: str = ""
    tag: str = ""
    state: str = ""

    def __bool__(self) -> bool:
        return bool(self.account or self.platform or self.tag or self.state)


@dataclass(slots=True)
class Cell:
    """From ``starts_at`` to before ``ends_at``: how many posts there are, and the first of them."""

    starts_at: datetime
    ends_at: datetime
    count: int = 0
    posts: list[Post] = field(default_factory=list)

    @property
    def more(self) -> int:
        """How many there are beside those in ``posts``."""
        return max(self.count - len(self.posts), 0)


class Quarter(Func):
    """The number of the quarter of an hour since 1970 in which an instant lies."""

    output_field = BigIntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = f"CAST(STRFTIME('%%%%s', %(expressions)s) AS INTEGER) / {QUARTER_SECONDS}"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = f"CAST(FLOOR(EXTRACT(EPOCH FROM %(expressions)s) / {QUARTER_SECONDS}) AS bigint)"
        return self.as_sql(compiler, connection, template=template, **context)


def filtered_posts(person: Person, filters: Filters) -> QuerySet[Post]:
    """Return the posts that ``person`` may see and that ``filters`` let through."""
    posts = visible_posts(person)
    if filters.account is not None:
        posts = having(posts, Delivery.objects.filter(account=filters.account))
    if filters.platform:
        posts = having(posts, Delivery.objects.filter(account__platform=filters.platform))
    if filters.tag:
        posts = having(posts, Post.tags.through.objects.filter(tag__name=filters.tag))
    return posts.filter(status=filters.state) if filters.state else posts


def cells_between(
    person: Person, filters: Filters, bounds: Sequence[datetime], *, most: int, most_in_all: int = MOST_IN_ALL
) -> list[Cell]:
    """Return the cells between each two of ``bounds`` (aware, ascending), with at most ``most`` posts in each.

    Where that would be more than ``most_in_all``, each cell has fewer, but one in any case.
    A draft has no time, whatever was once meant for it, so it lies in none.
    """
    cells = [Cell(start, end) for start, end in pairwise(bounds)]
    starts = [cell.starts_at for cell in cells]
    posts = filtered_posts(person, filters).exclude(status=PostStatus.DRAFT)
    between = posts.filter(scheduled_at__gte=bounds[0], scheduled_at__lt=bounds[-1])
    counted = between.order_by().values_list(Quarter("scheduled_at")).annotate(Count("pk"))
    quarters: Counter[int] = Counter(dict(counted))
    for quarter, count in quarters.items():
        cells[_place(starts, _start_of(quarter))].count += count
    while most > 1 and sum(min(cell.count, most) for cell in cells) > most_in_all:
        most -= 1
    ranges = _ranges_of_the_first(quarters, starts, most)
    if not ranges:
        return cells
    wanted = Q()
    for start, end in ranges:
        wanted |= Q(scheduled_at__gte=start, scheduled_at__lt=end)
    chosen: dict[int, int] = {}
    filled: Counter[int] = Counter()
    first: Any = between.filter(wanted).order_by("scheduled_at", "pk").values_list("pk", "scheduled_at")
    for key, at in first:
        place = _place(starts, at)
        filled[place] += 1
        if filled[place] <= most:
            chosen[key] = place
    for post in with_cards(Post.objects.filter(pk__in=chosen)).order_by("scheduled_at", "pk"):
        cells[chosen[post.pk]].posts.append(post)
    return cells


def drafts(person: Person, filters: Filters, *, most: int) -> list[Post]:
    """Return the newest drafts, which wait for a time."""
    if filters.state not in ("", PostStatus.DRAFT):
        return []
    found = filtered_posts(person, filters).filter(status=PostStatus.DRAFT).order_by("-pk")
    return list(with_cards(found)[:most])


def with_cards(posts: QuerySet[Post]) -> QuerySet[Post]:
    """Have ``posts`` read together with what a card shows of them."""
    shown = Delivery.objects.select_related("account").only("post_id", "status", "account__name", "account__platform")
    pictures = PostMedia.objects.select_related("media").order_by("position", "pk")
    return posts.prefetch_related(
        Prefetch("deliveries", shown.order_by("account__platform", "account__name")),
        Prefetch("post_media", pictures),
        "post_media__media__variants",
    )


def _ranges_of_the_first(quarters: Counter[int], starts: Sequence[datetime], most: int) -> list[Range]:
    """Return the spans that hold the first ``most`` posts of every cell, and few others."""
    seen: Counter[int] = Counter()
    ranges: list[Range] = []
    for quarter in sorted(quarters):
        start = _start_of(quarter)
        place = _place(starts, start)
        if seen[place] >= most:
            continue
        seen[place] += quarters[quarter]
        if ranges and ranges[-1][1] == start:
            ranges[-1] = (ranges[-1][0], start + QUARTER)
        else:
            ranges.append((start, start + QUARTER))
    return ranges


def _place(starts: Sequence[datetime], at: datetime) -> int:
    return max(bisect_right(starts, at) - 1, 0)


def _start_of(quarter: int) -> datetime:
    return datetime.fromtimestamp(quarter * QUARTER_SECONDS, UTC)


def first_picture(post: Post) -> PostMedia | None:
    """Return the picture that a card shows, of a post that was read with them."""
    return next(iter(post.post_media.all()), None)
