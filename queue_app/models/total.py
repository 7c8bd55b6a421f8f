"""Totals that only grow, for monitors: they outlive the jobs that they counted."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class TotalName(models.TextChoices):
    """What is counted."""

    POSITION = "position", _("place in the event log")
    ENDED = "ended", _("jobs ended")
    ATTEMPTS = "attempts", _("attempts ended")
    LATENESS = "lateness", _("seconds from due to started")
    DURATION = "duration", _("seconds of an attempt")
    KEYED = "keyed", _("jobs ended, by a part of their keys")


class Total(models.Model):
    """One series. ``counts`` is a number, or one for each bucket of a histogram, whose sum is ``seconds``.

    The row ``position`` has as its count the last event that all the others have counted.
    """

    name = models.CharField(max_length=12, choices=TotalName.choices)
    queue = models.CharField(max_length=100, blank=True)
    type = models.CharField(max_length=100, blank=True)
    outcome = models.CharField(max_length=12, blank=True)
    error = models.CharField(max_length=200, blank=True)
    counts = models.JSONField(default=list)
    seconds = models.FloatField(default=0.0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name", "queue", "type", "outcome", "error"], name="queue_app_total_once")
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.queue} {self.type} {self.outcome} {self.error}".strip()
