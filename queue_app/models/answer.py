"""Answers that are kept, so that a request that is sent twice is done once."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class IdempotentAnswer(models.Model):
    """What was answered to the request that ``user`` sent with an Idempotency-Key; written in the transaction of what
    it did. ``fingerprint`` is a SHA-256 of the request, ``headers`` are those that tell of what was made."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("of"))
    key = models.CharField(max_length=200)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField(default=dict)
    body = models.TextField()
    created_at = models.DateTimeField(_("created"), db_index=True)

    class Meta:
        verbose_name = _("kept answer")
        verbose_name_plural = _("kept answers")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="queue_app_answer_once")]

    def __str__(self) -> str:
        return self.key
