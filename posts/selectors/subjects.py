"""Posts about an object of the host site: which they are, and by which origin each is known. Reads only.

An origin is ``subject:<app>.<model>:<primary key>:<purpose>``; the primary key is quoted, so that it has no colon.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from django.db.models import Model, QuerySet
from django.db.models.functions import Left
from django.utils.translation import gettext

from posts.models import Post

ORIGIN_CHARACTERS = 200
_PURPOSE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


def subject_key(subject: Model) -> str:
    """Return how ``subject`` is named in origins and job arguments. Raises ValueError before it is saved."""
    if subject.pk is None:
        said = gettext("this %(kind)s has no primary key yet; save it first")
        raise ValueError(said % {"kind": subject._meta.verbose_name})
    concrete = subject._meta.concrete_model or type(subject)  # a proxy speaks of the same object
    return f"{concrete._meta.label_lower}:{quote(str(subject.pk), safe='')}"


def origin_of(subject: Model, purpose: str) -> str:
    """Return the origin of the post about ``subject`` for ``purpose``: a word of small letters, digits, - and _.

    Raises ValueError for another purpose, an object without a primary key, and one whose primary key is too long.
    """
    if not _PURPOSE.fullmatch(purpose):
        said = gettext("a purpose is a word like announcement, not “%(purpose)s”")
        raise ValueError(said % {"purpose": purpose[:60]})
    origin = f"{_prefix(subject)}{purpose}"
    if len(origin) > ORIGIN_CHARACTERS:
        said = gettext("%(subject)s… is too long to be the origin of a post")
        raise ValueError(said % {"subject": subject_key(subject)[:60]})
    return origin


def post_about(subject: Model, purpose: str) -> Post | None:
    """Return the post about ``subject`` for ``purpose``, as stored; ``None`` if there is none."""
    return Post.objects.filter(origin=origin_of(subject, purpose)).first()


def posts_about(subject: Model) -> QuerySet[Post]:
    """Return the posts about ``subject``, whatever their purpose and state, oldest first."""
    prefix = _prefix(subject)
    # SQLite compares beginnings without regard to case, and primary keys may differ in nothing else.
    exact = Post.objects.alias(beginning=Left("origin", len(prefix)))
    return exact.filter(origin__startswith=prefix, beginning=prefix).order_by("pk")


def _prefix(subject: Model) -> str:
    return f"subject:{subject_key(subject)}:"
