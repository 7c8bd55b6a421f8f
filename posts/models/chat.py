"""Where people are told in a chat of theirs."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class ChatAddress(models.Model):
    """One person's chat, as apprise reaches it. Sealed: an address of a chat is a secret. ``service`` names it."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("of"))
    service = models.CharField(_("service"), max_length=60, blank=True)
    sealed = models.TextField(editable=False)

    class Meta:
        verbose_name = _("chat address")
        verbose_name_plural = _("chat addresses")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.service} ({self.user})"
