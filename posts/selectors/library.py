"""The media library: which files a person finds there, by what, where each is used, which may be picked. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count, Exists, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from posts.models import Delivery, DeliveryStatus, Media, MediaKind, Post, PostMedia, PostStatus, Tag
from posts.selectors.posts import usable_media, visible_posts

if TYPE_CHECKING:
    from posts.selectors.posts import Person

TAGS_OFFERED = 50
POSTS_NAMED, POSTS_LISTED = 20, 100
# A delivery in one of these may still read the file, or may have to be compared with it.
NEEDING = (DeliveryStatus.SCHEDULED, DeliveryStatus.HELD, DeliveryStatus.PUBLISHING, DeliveryStatus.NEEDS_REVIEW)


@dataclass(frozen=True, slots=True)
class Uses:
    """The newest ``posts`` of those that a person may see, how many ``more`` of these there are, and of ``others``."""

    posts: list[Post]
    more: int
    others: int


@dataclass(frozen=True, slots=True)
class DeletionEffects:
    """What deleting a file meets: posts that need it and forbid it, drafts that lose it, posts that keep its place."""

    needing: QuerySet[Post]
    drafts: QuerySet[Post]
    ended: QuerySet[Post]


@dataclass(frozen=True, slots=True)
class TagCount:
    """A tag and on how many files and posts, of everybody, it is."""

    tag: Tag
    files: int
    posts: int


def library(person: Person) -> QuerySet[Media]:
    """Return the files that ``person`` may use, each with ``uses``, its tags and its renderings read along."""
    used = PostMedia.objects.filter(media=OuterRef("pk")).order_by().values("media").annotate(n=Count("pk")).values("n")
    uses = Coalesce(Subquery(used), 0, output_field=IntegerField())
    return usable_media(person).annotate(uses=uses).prefetch_related("tags", "variants").order_by("-pk")


def used_by_no_post() -> Exists:
    """Return the condition that no post has a file."""
    return ~Exists(PostMedia.objects.filter(media=OuterRef("pk")))  # type: ignore[return-value]  # its stubs say Q


def without_alt_text() -> Q:
    """Return the condition that a file which could have an alt text has none of its own."""
    return Q(alt_text="") & ~Q(kind=MediaKind.DOCUMENT)


def lacks_alt_text(media: Media) -> bool:
    """Say whether ``media`` could have an alt text and has none of its own."""
    return not media.alt_text and media.kind != MediaKind.DOCUMENT


def with_tag(name: str) -> Exists:
    """Return the condition that a file has the tag ``name``."""
    return Exists(Media.tags.through.objects.filter(media=OuterRef("pk"), tag__name=name))


def tags_offered(person: Person) -> list[str]:
    """Return the first tags, by name, of files that ``person`` may use."""
    found = Media.tags.through.objects.filter(tag=OuterRef("pk"), media__in=usable_media(person).values("pk"))
    return list(Tag.objects.filter(Exists(found)).values_list("name", flat=True)[:TAGS_OFFERED])


def pickable(person: Person, text: str = "", tag: str = "") -> QuerySet[Media]:
    """Return the files that ``person`` may attach now, newest first: by words in name, alt text or tags, and by tag."""
    rows = usable_media(person).filter(file_deleted_at=None).prefetch_related("tags", "variants")
    rows = with_words(rows, text)
    return (rows.filter(with_tag(tag)) if tag else rows).order_by("-pk")


def with_words(rows: QuerySet[Media], text: str) -> QuerySet[Media]:
    """Return those of ``rows`` that have every word of ``text`` in name, alt text or tags."""
    for word in text.split()[:10]:
        of_tag = Exists(Media.tags.through.objects.filter(media=OuterRef("pk"), tag__name__icontains=word))
        rows = rows.filter(Q(original_name__icontains=word) | Q(alt_text__icontains=word) | of_tag)
    return rows


def uses_of(media: Media, person: Person) -> Uses:
    """Return where ``media`` is used, as far as ``person`` may see."""
    seen = visible_posts(person).filter(_has(media)).order_by("-pk")
    named, number = list(seen[:POSTS_LISTED]), seen.count()
    return Uses(named, number - len(named), media.post_media.count() - number)


def deletion_effects(media: Media) -> DeletionEffects:
    """Return what deleting ``media`` would meet, of everybody's posts."""
    using = Post.objects.filter(_has(media)).order_by("pk")
    waits = Exists(Delivery.objects.filter(post=OuterRef("pk"), status__in=NEEDING))
    rest = using.filter(~waits)
    return DeletionEffects(
        using.filter(waits), rest.filter(status=PostStatus.DRAFT), rest.exclude(status=PostStatus.DRAFT)
    )


def scheduled_with_shared_alt(media: Media) -> QuerySet[Post]:
    """Return the posts that wait to go out with the alt text of ``media`` itself, having none of their own for it."""
    shared = PostMedia.objects.filter(post=OuterRef("pk"), media=media, alt_text="")
    waits = (DeliveryStatus.SCHEDULED, DeliveryStatus.HELD)
    waiting = Delivery.objects.filter(post=OuterRef("pk"), status__in=waits)
    return Post.objects.filter(Exists(shared), Exists(waiting)).order_by("pk")


def counted_tags() -> list[TagCount]:
    """Return every tag by name, with on how many files and posts it is."""
    counts = [
        dict(kind.tags.through.objects.order_by().values_list("tag").annotate(n=Count("pk"))) for kind in (Media, Post)
    ]
    return [TagCount(tag, *(found.get(tag.pk, 0) for found in counts)) for tag in Tag.objects.all()]


def _has(media: Media) -> Exists:
    return Exists(PostMedia.objects.filter(post=OuterRef("pk"), media=media))
