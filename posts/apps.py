"""The posts app: posts, accounts, media and publishing."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import pre_delete
from django.utils.translation import gettext_lazy as _


class PostsConfig(AppConfig):
    """Posts and everything that publishes them."""

    name = "posts"
    label = "posts"
    verbose_name = _("Posts")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks, and the built-in platform, which unlike the others needs Django's models.

        Posts about the host's objects hear when one of these is deleted.
        """
        from posts import checks  # noqa: F401 - importing it registers them
        from posts.mixins import cancel_post_of_deleted, followed_models
        from posts.outbox.platform import OutboxPlatform
        from posts.publishing import registry

        registry.register(OutboxPlatform())
        for model in followed_models():
            pre_delete.connect(cancel_post_of_deleted, sender=model)
