"""The tags of posts and files: words in lower case, made when they are first used, and gone with their last use.

A tag is shared by everybody, so renaming, merging and deleting one needs a permission of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from django.db import IntegrityError
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from posts.models import Media, Post, Tag
from posts.services import access
from posts.services.errors import Conflict, Problem, Refused, ValidationFailed
from posts.text.storable import is_storable
from queue_app.database import atomic

if TYPE_CHECKING:
    from django.contrib.auth.models import User

NAME_CHARACTERS = 50
MOST_TAGS = 30


def tags_from(text: str) -> list[str]:
    """Return the tags in ``text``, which separates them by commas or lines; each once, in order."""
    return _cleaned(text.replace("\n", ",").split(","))


def tag_problems(names: Sequence[str]) -> list[Problem]:
    """Return why ``names`` cannot be tags, on the field ``tags``."""
    wanted = _cleaned(names)
    problems = [
        Problem(
            "tags",
            _("The tag “%(name)s…” has %(number)s characters, the most is %(name_characters)s; shorten it")
            % {"name": name[:60], "number": len(name), "name_characters": NAME_CHARACTERS},
        )
        for name in wanted
        if len(name) > NAME_CHARACTERS
    ]
    problems += [
        Problem("tags", _("The tag “%(name)s” has a comma, which separates tags; leave it out") % {"name": name[:60]})
        for name in wanted
        if "," in name
    ]
    if not all(map(is_storable, wanted)):
        problems.append(Problem("tags", _("A tag has characters that cannot be stored; type it again")))
    if len(wanted) > MOST_TAGS:
        problems.append(
            Problem(
                "tags",
                _("There are %(number)s tags, the most is %(most_tags)s; remove some")
                % {"number": len(wanted), "most_tags": MOST_TAGS},
            )
        )
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


def add_tags(row: Post | Media, names: Iterable[str]) -> None:
    """Give ``row`` the tags ``names`` beside its own, in the caller's transaction. Raises ValidationFailed."""
    wanted = _cleaned([*row.tags.values_list("name", flat=True), *names])
    problems = tag_problems(wanted)
    if problems:
        raise ValidationFailed(problems)
    set_tags(row, wanted)


def rename_tag(tag: Tag, name: str, *, actor: User | None, merge: bool = False) -> Tag:
    """Call ``tag`` by another name on everything that has it; return the tag that has that name now.

    Where there is one of that name already, it takes everything over with ``merge``, else that is Refused. Raises
    ValidationFailed, Conflict, NotAllowed.
    """
    access.require(actor, "change_tag")
    wanted = _cleaned([name])
    problems = tag_problems(wanted) if wanted else [Problem("tags", _("A tag needs a name; write one"))]
    if problems:
        raise ValidationFailed(problems)
    with atomic():
        stored = Tag.objects.select_for_update().filter(pk=tag.pk).first()
        if stored is None:
            raise Conflict(_("The tag “%(tag)s” is gone; somebody has deleted it") % {"tag": tag})
        other = Tag.objects.filter(name=wanted[0]).exclude(pk=stored.pk).first()
        if other is None:
            return _renamed(stored, wanted[0])
        if not merge:
            text = _("There is a tag “%(tag)s” already; merge the two, or choose another name")
            raise Refused(text % {"tag": other})
        for through, column in ((Post.tags.through, "post_id"), (Media.tags.through, "media_id")):
            both = through.objects.filter(tag=other).values(column)
            through.objects.filter(tag=stored).exclude(**{f"{column}__in": both}).update(tag=other)
        stored.delete()
        return other


def delete_tag(tag: Tag, *, actor: User | None) -> None:
    """Take ``tag`` off everything that has it. Raises NotAllowed."""
    access.require(actor, "delete_tag")
    tag.delete()


def _renamed(tag: Tag, name: str) -> Tag:
    tag.name = name
    try:
        with atomic():
            tag.save(update_fields=["name"])
    except IntegrityError:
        raise Conflict(_("Somebody has just made a tag “%(tag)s”; try again") % {"tag": name}) from None
    return tag


def _cleaned(names: Iterable[str]) -> list[str]:
    cleaned = (" ".join(name.split()).lower().lstrip("# ") for name in names)
    return list(dict.fromkeys(name for name in cleaned if name))
