"""What the built-in network keeps: the posts that are live on it, and a log of every arrival."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class OutboxPost(models.Model):
    """A post that is live at /outbox/. ``key`` is the sender's idempotency key, NULL for mailboxes that keep none."""

    mailbox = models.CharField(_("account"), max_length=200, db_index=True)
    key = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001 - NULLs do not collide
    text = models.TextField(_("text"), blank=True)
    pictures = models.JSONField(default=list, blank=True)
    published_at = models.DateTimeField(_("published"), db_index=True)

    class Meta:
        verbose_name = _("outbox post")
        verbose_name_plural = _("outbox posts")
        constraints = [
            models.UniqueConstraint(fields=["mailbox", "key"], name="posts_outbox_once", condition=Q(key__isnull=False))
        ]

    def __str__(self) -> str:
        return f"{self.mailbox}: {self.text[:40]}"


class OutboxArrival(models.Model):
    """One send that reached the built-in network: accepted, or refused and why. The network's own log."""

    mailbox = models.CharField(_("account"), max_length=200, db_index=True)
    sender_key = models.CharField(max_length=64, db_index=True)
    accepted = models.BooleanField(_("accepted"))
    answer = models.CharField(_("answer"), max_length=40)
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("outbox arrival")
        verbose_name_plural = _("outbox arrivals")

    def __str__(self) -> str:
        return f"{self.mailbox} {self.sender_key} {self.answer}"
