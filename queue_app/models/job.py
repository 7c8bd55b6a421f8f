"""Jobs. ``transitions.py`` is the only writer of ``Job.state``."""

from __future__ import annotations

from functools import reduce
from operator import or_

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.db.models.lookups import Exact
from django.utils.translation import gettext_lazy as _

from queue_app.expressions import Unindexed
from queue_app.models.worker import Worker
from queue_app.states import UNFINISHED, JobState

PRIORITY_FIRST, PRIORITY_LAST = 1, 10


class Job(models.Model):
    """One unit of work. ``fence`` grows with every transition, so that a late worker's write finds nothing."""

    type = models.CharField(_("type"), max_length=100)
    queue = models.CharField(_("queue"), max_length=100, default="default")
    priority = models.PositiveSmallIntegerField(_("priority"), default=5, help_text=_("1 runs first, 10 last."))
    args = models.JSONField(_("arguments"), default=dict, encoder=DjangoJSONEncoder)
    target_id = models.CharField(_("target"), max_length=200, blank=True)
    metadata = models.JSONField(_("metadata"), default=dict, blank=True)
    keys = models.JSONField(
        _("block keys"), default=list, help_text=_("A block on any of these keeps the job waiting.")
    )
    unique_key = models.CharField(_("unique key"), max_length=200, null=True, blank=True)  # noqa: DJ001 - NULL is "none"

    state = models.CharField(_("state"), max_length=12, choices=JobState.choices, default=JobState.PENDING)
    reason = models.CharField(_("reason"), max_length=100, blank=True)
    run_at = models.DateTimeField(_("due"))
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    parked_by = models.CharField(_("parked under"), max_length=300, blank=True)
    postponed_since = models.DateTimeField(_("postponed since"), null=True, blank=True)

    fence = models.PositiveBigIntegerField(_("fence"), default=0)
    worker = models.ForeignKey(Worker, models.SET_NULL, null=True, blank=True, related_name="jobs", db_index=False)
    lease_until = models.DateTimeField(_("lease ends"), null=True, blank=True)
    marked_at = models.DateTimeField(_("irreversible step begun"), null=True, blank=True)
    needs_review_at = models.DateTimeField(_("needs review since"), null=True, blank=True)
    reconciles = models.ForeignKey(
        "self", models.CASCADE, null=True, blank=True, related_name="reconciliations", db_index=False
    )

    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    max_attempts = models.PositiveIntegerField(_("most attempts"), default=1)
    last_error = models.TextField(_("last error"), blank=True)
    result = models.JSONField(_("result"), null=True, blank=True, encoder=DjangoJSONEncoder)
    result_expires_at = models.DateTimeField(_("result expires"), null=True, blank=True)

    created_at = models.DateTimeField(_("created"))
    updated_at = models.DateTimeField(_("updated"))
    started_at = models.DateTimeField(_("last started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        permissions = [("operate_job", _("Can retry, cancel, hold and release jobs"))]
        indexes = [
            # The claim seeks this index once a priority: its cost does not grow with jobs that are not due. A planner
            # whose statistics are of a time when nothing waited would think as well of the one by states (ADR 10).
            models.Index(
                fields=["queue", "priority", "run_at", "id"],
                name="queue_app_job_due",
                condition=Q(parked_by="") & Q(Exact(Unindexed("state"), JobState.PENDING.value)),
            ),
            # Parked jobs are let go in the order in which they would be claimed.
            models.Index(
                fields=["parked_by", "priority", "run_at", "id"],
                name="queue_app_job_parked",
                condition=~Q(parked_by=""),
            ),
            models.Index(
                fields=["expires_at"],
                name="queue_app_job_expiry",
                condition=Q(state__in=[JobState.PENDING, JobState.HELD], expires_at__isnull=False),
            ),
            # Counting by state; internal types are left out of the counts.
            models.Index(fields=["state", "type"], name="queue_app_job_state_type"),
            # Found by when they ended; the rest is what the figures of a day need, so that no row is read for them.
            models.Index(
                fields=["finished_at", "state", "type", "started_at"],
                name="queue_app_job_finished",
                condition=Q(finished_at__isnull=False),
            ),
            models.Index(
                fields=["result_expires_at", "id"],
                name="queue_app_job_result",
                condition=Q(result_expires_at__isnull=False),
            ),
            models.Index(fields=["target_id"], name="queue_app_job_target", condition=~Q(target_id="")),
            models.Index(fields=["reconciles"], name="queue_app_job_reconciles", condition=Q(reconciles__isnull=False)),
        ]
        # Looked at with every change of a job. SQLite makes a table each time for a list of more than two constants:
        # the states are none, and the unfinished ones come after a key, which most jobs do not have.
        constraints = [
            models.UniqueConstraint(
                fields=["unique_key"],
                name="queue_app_job_unique",
                condition=Q(unique_key__isnull=False) & Q(state__in=list(UNFINISHED)),
            ),
            models.CheckConstraint(
                condition=reduce(or_, (Q(state=state) for state in JobState.values)), name="queue_app_job_state"
            ),
            models.CheckConstraint(
                condition=Q(priority__gte=PRIORITY_FIRST, priority__lte=PRIORITY_LAST), name="queue_app_job_priority"
            ),
            models.CheckConstraint(
                condition=~Q(state=JobState.RUNNING) | Q(lease_until__isnull=False, started_at__isnull=False),
                name="queue_app_job_running_has_lease",
            ),
            models.CheckConstraint(
                condition=Q(parked_by="") | Q(state=JobState.PENDING), name="queue_app_job_only_pending_parks"
            ),
            models.CheckConstraint(
                condition=~Q(state=JobState.UNCERTAIN) | Q(marked_at__isnull=False),
                name="queue_app_job_uncertain_is_marked",
            ),
            models.CheckConstraint(
                condition=~Q(state=JobState.PENDING) | Q(marked_at__isnull=True),
                name="queue_app_job_pending_is_unmarked",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} #{self.pk}"
