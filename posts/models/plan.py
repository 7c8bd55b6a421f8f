"""Times that come back: an account's weekly posting slots, and posts that repeat."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from posts.models.account import Account


class Slot(models.Model):
    """A time of the week at which an account posts: ``weekday`` is 0 (Monday) to 6, the zone is the account's."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="slots", verbose_name=_("account"))
    weekday = models.PositiveSmallIntegerField(_("day of the week"))
    wall_time = models.TimeField(_("time"))

    class Meta:
        verbose_name = _("posting slot")
        verbose_name_plural = _("posting slots")
        ordering = ["weekday", "wall_time"]
        constraints = [
            models.UniqueConstraint(fields=["account", "weekday", "wall_time"], name="posts_slot_once"),
            models.CheckConstraint(condition=Q(weekday__lte=6), name="posts_slot_weekday"),
        ]

    def __str__(self) -> str:
        return f"{self.weekday} {self.wall_time:%H:%M}"


class Recurrence(models.Model):
    """How a post repeats. ``rule`` is an RRULE of RFC 5545 without its start and end.

    ``first_wall_time`` (ISO, no offset) in ``timezone`` is its start, ``ends_on`` the last day it may fall on.
    Occurrences are made ahead as posts of their own; ``made_until`` is the wall time of the last one that was made, so
    one that a person deleted does not come back. Where that moves back, ``skipped_days`` (ISO) are the days left out.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("owner")
    )
    rule = models.CharField(_("rule"), max_length=500)
    first_wall_time = models.CharField(_("starts"), max_length=32)
    timezone = models.CharField(_("time zone"), max_length=64)
    ends_on = models.DateField(_("ends on"), null=True, blank=True)
    made_until = models.CharField(max_length=32, blank=True, editable=False)
    skipped_days = models.JSONField(default=list, blank=True, editable=False)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("repeating post")
        verbose_name_plural = _("repeating posts")

    def __str__(self) -> str:
        return self.rule
