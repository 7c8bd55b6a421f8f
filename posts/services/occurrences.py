"""A post of a series that somebody changes goes its own way from then on: later changes to all leave it alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posts.models import Post

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def mark_changed(post: Post, actor: User | None) -> None:
    """Write down that a person (``actor``; ``None`` is the site, whose changes are no such) changed ``post`` alone."""
    if actor is not None and post.recurrence_id is not None and not post.is_exception:
        Post.objects.filter(pk=post.pk).update(is_exception=True)
        post.is_exception = True
