"""A post on one account: the unit that is published, looked up and explained."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from posts.models.account import Account
from posts.models.post import Post
from queue_app.models import Job


class DeliveryStatus(models.TextChoices):
    """Where a delivery stands. Written by the queue's hook only, except ``draft``."""

    DRAFT = "draft", _("Draft")
    SCHEDULED = "scheduled", _("Scheduled")
    HELD = "held", _("Held")
    PUBLISHING = "publishing", _("Publishing")
    PUBLISHED = "published", _("Published")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")
    EXPIRED = "expired", _("Expired")
    NEEDS_REVIEW = "needs_review", _("Needs review")


class Delivery(models.Model):
    """One post on one account.

    ``uuid`` and ``keyed_at`` never change: idempotency keys come from them. ``checkpoints`` are the results of
    ``prepare`` for content with ``content_hash``; ``snapshot`` is what was frozen at the mark, and what a repeat sends:
    one part of the thread after the other. ``live`` are the parts that are out, in the same order.
    """

    post = models.ForeignKey(Post, models.CASCADE, related_name="deliveries")
    account = models.ForeignKey(Account, models.PROTECT, related_name="deliveries")
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    keyed_at = models.DateTimeField(default=timezone.now, editable=False)
    text_override = models.TextField(_("own text"), null=True, blank=True)  # noqa: DJ001 - NULL is "the post's"
    status = models.CharField(
        _("status"), max_length=20, choices=DeliveryStatus.choices, default=DeliveryStatus.DRAFT, db_index=True
    )
    job = models.OneToOneField(Job, models.SET_NULL, null=True, blank=True, related_name="delivery")

    options = models.JSONField(_("options"), default=dict, blank=True)
    content_hash = models.CharField(max_length=64, blank=True, editable=False)
    checkpoints = models.JSONField(default=dict, blank=True, editable=False)
    snapshot = models.JSONField(null=True, blank=True, editable=False)
    snapshot_hash = models.CharField(max_length=64, blank=True, editable=False)
    live = models.JSONField(default=list, blank=True, editable=False)
    progress = models.JSONField(default=dict, blank=True, editable=False)
    refreshed_version = models.PositiveIntegerField(default=0, editable=False)

    platform_post_id = models.CharField(_("id on the platform"), max_length=300, blank=True)
    url = models.URLField(_("link"), max_length=500, blank=True)
    response = models.JSONField(_("answer"), default=dict, blank=True, editable=False)
    published_at = models.DateTimeField(_("published"), null=True, blank=True)
    error_code = models.CharField(_("error code"), max_length=100, blank=True)
    error_field = models.CharField(max_length=40, blank=True)
    error_message = models.TextField(_("last error"), blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        # How many wait for an account is counted in it alone, however many have been published.
        indexes = [models.Index(fields=["account", "status"], name="posts_delivery_of_account")]
        constraints = [
            models.UniqueConstraint(fields=["post", "account"], name="posts_delivery_once"),
            models.CheckConstraint(condition=Q(status__in=DeliveryStatus.values), name="posts_delivery_status"),
        ]

    def __str__(self) -> str:
        return f"{self.post} → {self.account}"
