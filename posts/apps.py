"""The posts app: posts, accounts, media and publishing."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PostsConfig(AppConfig):
    """Posts and everything that publishes them."""

    name = "posts"
    label = "posts"
    verbose_name = _("Posts")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks, and the built-in platform, which unlike the others needs Django's models."""
        from posts import checks  # noqa: F401 - importing it registers them
        from posts.outbox.platform import OutboxPlatform
        from posts.publishing import registry

        registry.register(OutboxPlatform())
