"""What people are told: the notices, who wants to be told what, and what went out to whom."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from queue_app.models.job import Job


class Notice(models.Model):
    """Something that people should be told: once, and where it lasts once more when it is over.

    It is for its ``owner`` and for whoever has ``permission``. Without a job it is an incident, found by ``key`` while
    it is open, whatever its ``subject`` is called by then. ``fine_since`` is since when a condition that is looked for
    again and again was not found any more.
    """

    kind = models.CharField(_("kind"), max_length=40)
    # "": of a job, or opened by the release before, which found incidents by their subject.
    key = models.CharField(max_length=200, blank=True, db_default="", default="", editable=False)
    subject = models.CharField(_("about"), max_length=200)
    text = models.TextField(_("text"), blank=True)
    job = models.ForeignKey(Job, models.SET_NULL, null=True, blank=True, related_name="notices")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("owner")
    )
    permission = models.CharField(max_length=100, blank=True, db_default="", default="")
    page = models.CharField(max_length=300, blank=True, db_default="", default="")
    created_at = models.DateTimeField(_("created"))
    sent_at = models.DateTimeField(_("told"), null=True, blank=True)
    cleared_at = models.DateTimeField(_("over since"), null=True, blank=True)
    fine_since = models.DateTimeField(null=True, blank=True, editable=False)
    addressed_at = models.DateTimeField(null=True, blank=True, editable=False)
    over_addressed_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "key"],
                name="queue_app_notice_key_once",
                condition=Q(cleared_at__isnull=True, job=None) & ~Q(key=""),
            ),
            models.UniqueConstraint(
                fields=["kind", "subject"],
                name="queue_app_notice_once",
                condition=Q(cleared_at__isnull=True, job=None, key=""),
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"],
                name="queue_app_notice_new",
                condition=Q(addressed_at__isnull=True, sent_at__isnull=True, cleared_at__isnull=True),
            ),
            models.Index(
                fields=["id"],
                name="queue_app_notice_over",
                condition=Q(
                    addressed_at__isnull=False,
                    cleared_at__isnull=False,
                    over_addressed_at__isnull=True,
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.subject}"


class NoticeDelivery(models.Model):
    """One notice, or its end, to one person by one channel. Without a ``user`` it is to the site's ADMINS.

    ``taken_until`` keeps two processes from sending the same at the same time.
    """

    notice = models.ForeignKey(Notice, models.CASCADE, related_name="deliveries")
    is_over = models.BooleanField(_("that it is over"), default=False)
    channel = models.CharField(_("channel"), max_length=40)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("to")
    )
    created_at = models.DateTimeField(_("created"))
    taken_until = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    error = models.CharField(_("last error"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("sent notice")
        verbose_name_plural = _("sent notices")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["notice", "is_over", "channel", "user"],
                name="queue_app_told_a_person_once",
                condition=Q(user__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["notice", "is_over", "channel"],
                name="queue_app_told_the_admins_once",
                condition=Q(user__isnull=True),
            ),
        ]
        indexes = [
            models.Index(fields=["id"], name="queue_app_notice_unsent", condition=Q(sent_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.notice} → {self.user or 'ADMINS'} ({self.channel})"


class NoticeChoice(models.Model):
    """What one person wants to be told, by channel: ``{"mail": ["failed", ...]}``. Without a row the defaults hold."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("of"))
    kinds = models.JSONField(_("is told"), default=dict)
    updated_at = models.DateTimeField(_("updated"))

    class Meta:
        verbose_name = _("choice of notices")
        verbose_name_plural = _("choices of notices")
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.user)
