"""System checks of the posts app: what would otherwise break the first upload."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.core.files.storage import InvalidStorageError, storages


@register
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
