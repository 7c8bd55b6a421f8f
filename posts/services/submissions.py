"""A form that is sent twice is one submission: its token is kept on the post that it made, or changed last.

Owns ``Post.form_token`` and ``Post.edit_token``. All functions belong to surfaces with forms; the API has keys of its
own.
"""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.models import User
from django.db import IntegrityError
from django.db.models import Q

from posts.models import Post
from queue_app.database import atomic

MOST_RECENT = 10


class SubmittedAlready(Exception):
    """The same form has been taken already, by a request that was faster."""


def keep_token(post: Post, token: UUID) -> None:
    """Write down, in the caller's transaction, which form wrote ``post``; raise SubmittedAlready if it wrote another.

    The form that made a post is kept for good, whatever is changed later; of those that changed it, the last.
    On PostgreSQL it waits for a request that is writing the same token, so two that come at once are told apart.
    """
    try:
        with atomic():
            is_first = Post.objects.filter(pk=post.pk, form_token=None).update(form_token=token)
            if not is_first:
                Post.objects.filter(pk=post.pk).update(edit_token=token)
    except IntegrityError:
        raise SubmittedAlready from None


def post_of_token(token: UUID) -> Post | None:
    """Return the post that the form with ``token`` wrote, if it has been taken."""
    return Post.objects.filter(Q(form_token=token) | Q(edit_token=token)).first()


def forms_of(post: Post) -> list[UUID]:
    """Return the tokens of the forms that made ``post`` and changed it last."""
    return [token for token in (post.form_token, post.edit_token) if token is not None]


def forms_sent_by(person: User) -> list[UUID]:
    """Return the tokens of the last forms by which ``person`` made a post."""
    made = Post.objects.filter(owner=person, form_token__isnull=False).order_by("-pk")
    return [token for token in made.values_list("form_token", flat=True)[:MOST_RECENT] if token is not None]
