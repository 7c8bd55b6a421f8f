"""What people are told."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from queue_app.models.job import Job


class Notice(models.Model):
    """Something a person should be told. Sent by mail once; notices of a few seconds go in one mail."""

    kind = models.CharField(_("kind"), max_length=40)
    subject = models.CharField(_("about"), max_length=200)
    text = models.TextField(_("text"), blank=True)
    job = models.ForeignKey(Job, models.SET_NULL, null=True, blank=True, related_name="notices")
    created_at = models.DateTimeField(_("created"))
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    cleared_at = models.DateTimeField(_("over since"), null=True, blank=True)

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject"], name="queue_app_notice_once", condition=Q(cleared_at__isnull=True, job=None)
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.subject}"
