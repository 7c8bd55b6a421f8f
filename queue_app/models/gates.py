"""What keeps jobs from running: blocks and windows, limits, breakers."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from queue_app.models.job import Job


class BlockKind(models.TextChoices):
    """Why a key does not run."""

    PAUSE = "pause", _("paused")
    RATE_LIMIT = "rate_limit", _("the platform asked to wait")
    RECONNECT = "reconnect", _("the account must be reconnected")
    DISABLED = "disabled", _("the account is disabled")
    MAINTENANCE = "maintenance", _("maintenance")


class Block(models.Model):
    """Keeps every job with ``key`` from running, from ``starts_at`` (``None``: at once) to ``until`` (``None``: until
    lifted). ``source`` tells several blocks of one kind apart: maintenance windows name themselves."""

    key = models.CharField(_("key"), max_length=200)
    kind = models.CharField(_("kind"), max_length=20, choices=BlockKind.choices)
    source = models.CharField(_("source"), max_length=100, blank=True)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    starts_at = models.DateTimeField(_("from"), null=True, blank=True)
    until = models.DateTimeField(_("until"), null=True, blank=True)
    actor = models.CharField(_("by"), max_length=150, blank=True)
    created_at = models.DateTimeField(_("since"))

    class Meta:
        verbose_name = _("block")
        verbose_name_plural = _("blocks")
        constraints = [models.UniqueConstraint(fields=["key", "kind", "source"], name="queue_app_block_once")]
        indexes = [models.Index(fields=["until"], name="queue_app_block_until", condition=Q(until__isnull=False))]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class MaintenanceWindow(models.Model):
    """A recurring pause of one key: on ``weekdays`` (0 is Monday) from ``starts`` on the wall clock of ``timezone``."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    key = models.CharField(_("key"), max_length=200, default="all")
    weekdays = models.JSONField(_("weekdays"), default=list, help_text=_("Numbers from 0 (Monday) to 6 (Sunday)."))
    starts = models.TimeField(_("starts"))
    duration_minutes = models.PositiveIntegerField(_("minutes"))
    timezone = models.CharField(_("time zone"), max_length=64, default="UTC")
    enabled = models.BooleanField(_("enabled"), default=True)

    class Meta:
        verbose_name = _("maintenance window")
        verbose_name_plural = _("maintenance windows")
        constraints = [
            models.CheckConstraint(
                condition=Q(duration_minutes__gte=1, duration_minutes__lte=7 * 24 * 60),
                name="queue_app_window_duration",
            )
        ]

    def __str__(self) -> str:
        return self.name


class Limit(models.Model):
    """One key whose starts are counted. ``used`` is the number of its newest use; ``opens_at`` is when jobs parked
    under it are let go next (``None`` while none is parked)."""

    key = models.CharField(_("key"), max_length=290, unique=True)
    used = models.PositiveBigIntegerField(_("uses so far"), default=0)
    opens_at = models.DateTimeField(_("lets go at"), null=True, blank=True)

    class Meta:
        verbose_name = _("limit")
        verbose_name_plural = _("limits")
        indexes = [models.Index(fields=["opens_at"], name="queue_app_limit_opens", condition=Q(opens_at__isnull=False))]

    def __str__(self) -> str:
        return self.key


class LimitUse(models.Model):
    """One start under a limit. Numbers grow by one and ``at`` never falls, so that a window is two look-ups."""

    limit = models.ForeignKey(Limit, models.CASCADE, related_name="uses", db_index=False)
    number = models.PositiveBigIntegerField(_("number"))
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("limit use")
        verbose_name_plural = _("limit uses")
        constraints = [models.UniqueConstraint(fields=["limit", "number"], name="queue_app_use_once")]
        indexes = [models.Index(fields=["limit", "at"], name="queue_app_use_at")]

    def __str__(self) -> str:
        return f"{self.limit_id}/{self.number}"


class Breaker(models.Model):
    """One key that failed again and again. Open until ``open_until``; then one ``probe`` decides whether it closes."""

    key = models.CharField(_("key"), max_length=200, unique=True)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    trips = models.PositiveIntegerField(_("times opened in a row"), default=0)
    open_until = models.DateTimeField(_("open until"), null=True, blank=True)
    probe = models.ForeignKey(Job, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False)
    probe_fence = models.PositiveBigIntegerField(_("fence of the probe"), default=0)
    last_error = models.CharField(_("last error"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("breaker")
        verbose_name_plural = _("breakers")

    def __str__(self) -> str:
        return self.key
