"""``SocialPostMixin``: a model of the host whose objects are announced by a post.

Saving an object enqueues, in the same transaction, a job that makes the post or brings it up to date once that has
committed; deleting it cancels what waits. Holds no logic of posts: that is in ``posts.services``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import models

from posts.models import Account, Post
from posts.selectors.subjects import post_about, posts_about
from posts.services.following import ask_to_follow, lock_subject
from posts.services.subjects import ANNOUNCEMENT, Attachment, cancel_subject, text_problems
from queue_app import conf
from queue_app.database import atomic

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class SocialPostMixin(models.Model):
    """Announces each object of the model by one post. Override the methods whose names begin with ``social_``.

    ``social_text``, ``social_accounts`` and ``social_at`` must be. Workers call them, after the object's transaction
    has committed, so they see its many-to-many fields and files, too.
    """

    social_purpose = ANNOUNCEMENT

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save it, and have its post follow once the transaction has committed."""
        with atomic():
            super().save(*args, **kwargs)
            if self.social_at() is not None or self.social_post is not None:
                ask_to_follow(self)

    def social_text(self) -> str:
        """Return the text, without the link."""
        raise NotImplementedError(f"{type(self).__name__} says no social_text()")

    def social_accounts(self) -> Iterable[Account]:
        """Return the accounts that it goes out on, for example of a many-to-many field."""
        raise NotImplementedError(f"{type(self).__name__} says no social_accounts()")

    def social_at(self) -> datetime | None:
        """Return when it goes out (aware; a time that has passed means now), ``None`` while it should not.

        No post is made for a time that is longer ago than ``SOCIALQ["EXPIRE_AFTER_HOURS"]``: old objects can be edited.
        """
        raise NotImplementedError(f"{type(self).__name__} says no social_at()")

    def social_link(self) -> str:
        """Return the object's whole address, which stands below the text; "" for none, and before it is saved."""
        path = getattr(self, "get_absolute_url", None)
        return urljoin(conf.get("SITE_URL"), path()) if path is not None and self.pk is not None else ""

    def social_media(self) -> Iterable[Attachment]:
        """Return what is attached: files of the host, uploads, or tuples of one with its alt text."""
        return ()

    def social_owner(self) -> User | None:
        """Return whose post it is, ``None`` for the site's own: it is set when the post is made."""
        return None

    def social_fields(self) -> Mapping[str, Any]:
        """Return further fields of the post: timezone, language, thread_mode, first_comment, priority, tags, ..."""
        return {}

    def social_arguments(self) -> Mapping[str, Any]:
        """Return what ``posts.api.publish`` is called with, beside ``at`` and ``media``."""
        text = "\n\n".join(part for part in (self.social_text().strip(), self.social_link()) if part)
        accounts = list(self.social_accounts())
        return {"text": text, "accounts": accounts, "owner": self.social_owner(), **self.social_fields()}

    @property
    def social_post(self) -> Post | None:
        """The post of this object, if it has been made."""
        return post_about(self, self.social_purpose) if self.pk is not None else None

    @property
    def social_posts(self) -> models.QuerySet[Post]:
        """All posts about this object, those made by ``posts.api.publish`` included."""
        return posts_about(self)

    def clean(self) -> None:
        """Refuse in forms what a network would refuse of the text.

        A new object with many-to-many fields has none of them yet, so its accounts are unknown: its job judges it.
        """
        super().clean()
        has_accounts = not (self._state.adding and self._meta.many_to_many)
        if has_accounts and self.social_at() is not None:
            problems = text_problems(**self.social_arguments())
            if problems:
                raise ValidationError(problems)


def cancel_post_of_deleted(instance: models.Model, using: str, **_kwargs: Any) -> None:
    """Cancel, in the transaction that deletes an object, what of its posts waits; receives ``pre_delete``.

    The object is locked first: a job that is just making its post ends before, or finds no object any more.
    """
    lock_subject(instance, using)
    cancel_subject(instance)


def followed_models() -> list[type[SocialPostMixin]]:
    """Return the models of this site that inherit the mixin."""
    return [model for model in apps.get_models() if issubclass(model, SocialPostMixin)]
