"""What networks have told this site by themselves, so that the same word is heard once."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class PlatformEvent(models.Model):
    """One notification of a network. ``key`` is its own id, or a hash of what was signed."""

    platform = models.CharField(_("platform"), max_length=40)
    key = models.CharField(max_length=128)
    kind = models.CharField(_("kind"), max_length=80)
    received_at = models.DateTimeField(_("received"), auto_now_add=True)

    class Meta:
        verbose_name = _("platform event")
        verbose_name_plural = _("platform events")
        constraints = [models.UniqueConstraint(fields=["platform", "key"], name="posts_platform_event_once")]

    def __str__(self) -> str:
        return f"{self.platform}: {self.kind}"
