"""The queue's tables: fields and constraints only. ``transitions.py`` is the only writer of ``Job.state``."""

from __future__ import annotations

from functools import reduce
from operator import or_

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.db.models.lookups import Exact
from django.utils.translation import gettext_lazy as _

from queue_app.expressions import Unindexed
from queue_app.states import UNFINISHED, JobState

PRIORITY_FIRST, PRIORITY_LAST = 1, 10


class BlockKind(models.TextChoices):
    """Why a key does not run."""

    PAUSE = "pause", _("paused")
    RATE_LIMIT = "rate_limit", _("the platform asked to wait")
    RECONNECT = "reconnect", _("the account must be reconnected")
    DISABLED = "disabled", _("the account is disabled")
    MAINTENANCE = "maintenance", _("maintenance")


class Worker(models.Model):
    """One worker process of a cluster. ``host`` names the machine and its process namespace; ``start_ticks`` is the
    process's start time in the kernel's ticks, so that a reused pid is not taken for it."""

    name = models.CharField(_("name"), max_length=200, unique=True)
    cluster = models.CharField(_("cluster"), max_length=36, db_index=True)
    queues = models.JSONField(_("queues"), default=dict, help_text=_("Each queue that it serves, with its weight."))
    host = models.CharField(_("host"), max_length=200)
    pid = models.PositiveIntegerField(_("process id"))
    start_ticks = models.CharField(_("process start"), max_length=40)
    version = models.CharField(_("version"), max_length=40)
    types = models.JSONField(_("job types it knows"), default=list)
    started_at = models.DateTimeField(_("started"))
    heartbeat_at = models.DateTimeField(_("last heartbeat"), db_index=True)
    stopped_at = models.DateTimeField(_("stopped"), null=True, blank=True)
    clock_skew_seconds = models.FloatField(
        _("clock skew"), default=0.0, help_text=_("By how many seconds its host's clock is ahead of the queue's.")
    )

    class Meta:
        verbose_name = _("worker")
        verbose_name_plural = _("workers")

    def __str__(self) -> str:
        return self.name

    @property
    def machine(self) -> str:
        """The machine without its process namespace."""
        return self.host.partition("/")[0]


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
    """One line of a job's history. Written in the transaction of the change it tells of, which holds its job's row:
    the database need not look once more whether there is such a job (docs/adr/0009)."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="events", db_index=False, db_constraint=False)
    at = models.DateTimeField(_("at"))
    name = models.CharField(_("event"), max_length=20, choices=EventName.choices)
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
        return f"{self.name} {self.job_id}"


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


class ApiKey(models.Model):
    """A program's key to the API, in the name of ``user``: it may do what they may, as far as its ``scopes`` go.

    The key itself is nowhere: ``prefix`` finds the row, ``secret_hash`` (SHA-256, hex) proves the rest.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("of"))
    name = models.CharField(_("name"), max_length=100)
    prefix = models.CharField(_("begins with"), max_length=12, unique=True, editable=False)
    secret_hash = models.CharField(max_length=64, editable=False)
    scopes = models.JSONField(_("may"), default=list)
    created_at = models.DateTimeField(_("created"))
    expires_at = models.DateTimeField(_("ends"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        permissions = [("manage_all_api_keys", _("Can see and revoke everybody's API keys"))]

    def __str__(self) -> str:
        return self.name
