"""Bots that feed posts: which a person sees, and which posts came of what was written to one. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from django.db.models import Q, QuerySet

from posts.models import Post, TelegramMessage, TelegramSource
from posts.publishing import registry
from posts.selectors.posts import SEE_ALL, visible_posts

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


def visible_sources(person: User | AnonymousUser) -> QuerySet[TelegramSource]:
    """Return the sources that ``person`` may see: their own, or all with the permission for all posts."""
    everything = Q() if person.has_perm(SEE_ALL) else Q(owner=person.pk or 0)
    return TelegramSource.objects.filter(everything)


def origin_of(message: TelegramMessage, *, is_late: bool = False) -> str:
    """Return where a post of ``message`` or its album comes from; a part that came after the rest has its own."""
    origin = f"telegram:{message.source_id}:{message.group_key}"
    return f"{origin}:late:{message.message_id}" if is_late else origin


def origins_below(origin: str) -> list[str]:
    """Return every origin that a post from there may have: its own for a draft, one a platform where it was queued."""
    return [origin, *(f"{origin}:{name}" for name in registry.platforms())]


def posts_of(messages: Iterable[TelegramMessage], person: User | AnonymousUser) -> list[Sequence[Post]]:
    """Return the posts that came of each message, as far as ``person`` may see them; of an album with each part."""
    names = [
        {*origins_below(origin_of(message)), origin_of(message, is_late=True)} for message in messages
    ]  # fmt: skip
    found = list(visible_posts(person).filter(origin__in=set().union(*names)).order_by("pk")) if names else []
    return [[post for post in found if post.origin in own] for own in names]
