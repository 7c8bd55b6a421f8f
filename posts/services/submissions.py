"""A form that is sent twice is one submission: its token is kept on the post that it made, or changed last.

Owns ``Post.form_token`` and ``Post.edit_token``. Both functions belong to surfaces with forms; the API has keys of its
own.
"""

from __future__ import annotations

from uuid import UUID

from django.db import IntegrityError
from django.db.models import Q

from posts.models import Post
from queue_app.database import atomic


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
