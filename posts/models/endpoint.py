"""Where events go that somebody's own program wants to hear of."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class OffReason(models.TextChoices):
    """Why an endpoint gets nothing."""

    PERSON = "person", _("Switched off")
    FAILING = "failing", _("Off: it failed for too long")
    GONE = "gone", _("Off: it said that it is gone for good")


class WebhookEndpoint(models.Model):
    """An address that is sent events, as far as ``owner`` may see them. ``names`` are those wanted; none means all.

    ``sealed`` has the secrets: ``secret``, and until ``previous_until`` also ``previous_secret``. ``position`` is the
    id of the last event that was looked at for it. While it fails, ``failing_since`` and the first event that it did
    not take, ``failing_event``; that also while it is off. ``recent`` are the last attempts, the newest first.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("owner"))
    name = models.CharField(_("name"), max_length=100)
    url = models.CharField(_("address"), max_length=2000)
    sealed = models.TextField(editable=False)
    previous_until = models.DateTimeField(null=True, blank=True, editable=False)
    names = models.JSONField(_("events"), default=list, blank=True)
    enabled = models.BooleanField(_("enabled"), default=True)
    off_reason = models.CharField(max_length=10, choices=OffReason.choices, blank=True, editable=False)
    failing_since = models.DateTimeField(_("failing since"), null=True, blank=True, editable=False)
    failing_event = models.BigIntegerField(null=True, blank=True, editable=False)
    last_success_at = models.DateTimeField(_("last success"), null=True, blank=True, editable=False)
    position = models.BigIntegerField(editable=False)
    recent = models.JSONField(default=list, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        permissions = [("manage_all_webhooks", _("Can see and change everybody's webhooks"))]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="posts_endpoint_once"),
            models.CheckConstraint(
                condition=Q(enabled=True, off_reason="") | Q(enabled=False, off_reason__in=OffReason.values),
                name="posts_endpoint_off_reason",
            ),
            models.CheckConstraint(condition=Q(position__gte=0), name="posts_endpoint_position"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def key(self) -> str:
        """The queue's key of what is sent to it."""
        return f"endpoint:{self.pk}"
