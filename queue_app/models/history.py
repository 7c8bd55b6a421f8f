"""What happened to jobs: each execution with its error, and each change."""

from __future__ import annotations

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils.translation import gettext_lazy as _

from queue_app.models.job import Job


class AttemptOutcome(models.TextChoices):
    """How one execution ended."""

    RUNNING = "running", _("running")
    COMPLETED = "completed", _("completed")
    RETRY = "retry", _("failed, to be tried again")
    POSTPONED = "postponed", _("postponed")
    HELD = "held", _("held")
    FAILED = "failed", _("failed")
    UNCERTAIN = "uncertain", _("no clear answer")
    CANCELLED = "cancelled", _("cancelled")
    HANDED_BACK = "handed_back", _("handed back")
    LOST = "lost", _("its worker was lost")


class Attempt(models.Model):
    """One execution of a job: the error log. ``number`` repeats where an execution was refunded."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="attempt_set", db_index=False)
    number = models.PositiveIntegerField(_("number"))
    fence = models.PositiveBigIntegerField(_("fence"))
    worker = models.CharField(_("worker"), max_length=200)
    started_at = models.DateTimeField(_("started"))
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    outcome = models.CharField(
        _("outcome"), max_length=12, choices=AttemptOutcome.choices, default=AttemptOutcome.RUNNING
    )
    error_class = models.CharField(_("error"), max_length=200, blank=True)
    code = models.CharField(_("code"), max_length=100, blank=True)
    message = models.TextField(_("message"), blank=True)
    traceback = models.TextField(_("traceback"), blank=True)
    response_code = models.PositiveSmallIntegerField(_("response code"), null=True, blank=True)
    late_answer = models.TextField(_("late answer"), blank=True)

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        constraints = [models.UniqueConstraint(fields=["job", "fence"], name="queue_app_attempt_once")]

    def __str__(self) -> str:
        return f"{self.job_id}/{self.number}"

    @property
    def duration_seconds(self) -> float | None:
        """Seconds from start to finish; ``None`` while it runs."""
        return (self.finished_at - self.started_at).total_seconds() if self.finished_at else None


class EventName(models.TextChoices):
    """What happened to a job; the names that listeners know."""

    ADDED = "job_added", _("added")
    UPDATED = "status_updated", _("changed")
    COMPLETED = "job_completed", _("completed")
    FAILED = "job_failed", _("failed")
    CANCELLED = "job_cancelled", _("cancelled")


class Event(models.Model):
    """One line of what happened: to a job, or to something of another app, which then has no job and a name with a dot.

    Written in the transaction of the change it tells of, which holds its job's row: the database need not look once
    more whether there is such a job (docs/adr/0009)."""

    job = models.ForeignKey(
        Job, models.CASCADE, null=True, blank=True, related_name="events", db_index=False, db_constraint=False
    )
    at = models.DateTimeField(_("at"))
    name = models.CharField(_("event"), max_length=100, choices=EventName.choices)
    source = models.CharField(_("from"), max_length=12, blank=True)
    target = models.CharField(_("to"), max_length=12, blank=True)
    reason = models.CharField(_("reason"), max_length=100, blank=True)
    actor = models.CharField(_("by"), max_length=150, blank=True)
    data = models.JSONField(_("data"), default=dict, blank=True, encoder=DjangoJSONEncoder)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        indexes = [models.Index(fields=["job", "id"], name="queue_app_event_job")]

    def __str__(self) -> str:
        return f"{self.name} {self.job_id}" if self.job_id is not None else self.name
