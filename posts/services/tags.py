"""The tags of posts and files: words in lower case, made when they are first used, and gone with their last use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db.models import Exists, OuterRef

from posts.models import Media, Post, Tag
from posts.services.errors import Problem
from posts.text.storable import is_storable

NAME_CHARACTERS = 50
MOST_TAGS = 30


def tags_from(text: str) -> list[str]:
    """Return the tags in ``text``, which separates them by commas or lines; each once, in order."""
    return _cleaned(text.replace("\n", ",").split(","))


def tag_problems(names: Sequence[str]) -> list[Problem]:
    """Return why ``names`` cannot be tags, on the field ``tags``."""
    wanted = _cleaned(names)
    problems = [
        Problem("tags", f"The tag “{name[:60]}…” has {len(name)} characters, the most is {NAME_CHARACTERS}; shorten it")
        for name in wanted
        if len(name) > NAME_CHARACTERS
    ]
    if not all(map(is_storable, wanted)):
        problems.append(Problem("tags", "A tag has characters that cannot be stored; type it again"))
    if len(wanted) > MOST_TAGS:
        problems.append(Problem("tags", f"There are {len(wanted)} tags, the most is {MOST_TAGS}; remove some"))
    return problems


def set_tags(row: Post | Media, names: Iterable[str]) -> None:
    """Give ``row`` the tags ``names`` and no others, in the caller's transaction; ``tag_problems`` checks first."""
    wanted = _cleaned(names)
    Tag.objects.bulk_create([Tag(name=name) for name in wanted], ignore_conflicts=True)
    before = set(row.tags.values_list("pk", flat=True))
    row.tags.set(Tag.objects.filter(name__in=wanted))
    gone = before - set(row.tags.values_list("pk", flat=True))
    if gone:
        used = [Exists(kind.tags.through.objects.filter(tag=OuterRef("pk"))) for kind in (Post, Media)]
        Tag.objects.filter(~used[0], ~used[1], pk__in=gone).delete()


def _cleaned(names: Iterable[str]) -> list[str]:
    cleaned = (" ".join(name.split()).lower().lstrip("#") for name in names)
    return list(dict.fromkeys(name for name in cleaned if name))
