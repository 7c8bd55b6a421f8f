"""System checks of the posts app: what would otherwise break the first upload, or a promise to the host's objects."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.core.files.storage import InvalidStorageError, storages
from django.db import router

from posts.mixins import followed_models
from posts.models import Post
from queue_app.checks import OURS


@register(OURS)
def check_storage(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """Find a storage for files whose package is not installed, or that takes no such options."""
    try:
        storages["default"]
    except (InvalidStorageError, ImportError, TypeError, ValueError) as error:
        return [
            Error(
                f"The storage of uploaded files cannot be used: {error}.",
                hint="Install SocialQ with its extra: pip install 'socialq[s3]'. Or unset SOCIALQ_S3_BUCKET.",
                id="posts.E001",
            )
        ]
    return []


@register(OURS)
def check_followed_models(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """Find models whose objects are announced, but do not commit together with their posts."""
    alias = router.db_for_write(Post)
    return [
        Error(
            f"{model._meta.label} inherits SocialPostMixin and is in the database {router.db_for_write(model)!r}, "
            f"its posts in {alias!r}: one could be rolled back without the other.",
            hint="Route both to one database, or call posts.api.publish once the object has committed.",
            obj=model,
            id="posts.E002",
        )
        for model in followed_models()
        if router.db_for_write(model) != alias
    ]
