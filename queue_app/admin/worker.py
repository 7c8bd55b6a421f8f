"""Who works: every worker process, whether it lives, and what it is doing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import BooleanField, Case, OuterRef, QuerySet, Subquery, Value, When
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from queue_app import clock, conf, routes, workers
from queue_app.admin import display
from queue_app.admin.pages import ReadOnlyAdmin
from queue_app.explain import START_COMMAND
from queue_app.models import Job, Worker
from queue_app.states import JobState

SHOWN_DAYS = 2


class LifeFilter(admin.SimpleListFilter):
    """The workers of the last days, unless all are asked for."""

    title = _("when")
    parameter_name = "when"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the two other choices."""
        return [("alive", _("Alive now")), ("all", _("All there ever were"))]

    def choices(self, changelist: Any) -> Any:
        """Name the default, which Django would call All."""
        default, *others = super().choices(changelist)
        return [{**default, "display": _("Last two days")}, *others]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Worker]) -> QuerySet[Worker]:
        """Return the workers asked for."""
        if self.value() == "all":
            return queryset
        if self.value() == "alive":
            return queryset.filter(pk__in=workers.alive(clock.now()).values("pk"))
        return queryset.filter(heartbeat_at__gt=clock.now() - timedelta(days=SHOWN_DAYS))


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    """Worker processes. Read only: they are started and stopped by their commands."""

    page_template = "queue_app/admin/worker.html"
    empty_hint = format_lazy("{} {}", _("No worker has run yet. Start some with:"), START_COMMAND)
    list_display = [
        "name",
        "life",
        "doing",
        "serves",
        "heartbeat",
        "host_clock",
        "version",
        "machine",
        "pid",
        "started",
    ]
    list_filter = [LifeFilter, "host"]
    search_fields = ["name", "host"]
    ordering = ["-started_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Worker]:
        """Return the workers with whether each lives and the job it runs."""
        alive = list(workers.alive(clock.now()).values_list("pk", flat=True))
        running = Job.objects.filter(worker=OuterRef("pk"), state=JobState.RUNNING)
        rows: QuerySet[Worker] = super().get_queryset(request)
        return rows.annotate(
            is_alive=Case(When(pk__in=alive, then=Value(True)), default=Value(False), output_field=BooleanField()),
            job_id=Subquery(running.values("pk")[:1]),
            job_type=Subquery(running.values("type")[:1]),
        )

    @admin.display(description=_("host"), ordering="host")
    def machine(self, worker: Worker) -> str:
        """Return the machine without its process namespace, which stands on the worker's page."""
        return worker.host.partition("/")[0]

    @admin.display(description=_("queues"))
    def serves(self, worker: Worker) -> str:
        """Name the queues, the heaviest first, with a weight where there are several."""
        return routes.shown(dict(sorted(worker.queues.items(), key=lambda queue: (-queue[1], queue[0]))))

    @admin.display(description=_("state"))
    def life(self, worker: Any) -> SafeString:
        """Return whether it lives."""
        if worker.is_alive:
            return display.badge("alive", _("Alive"))
        return display.badge("gone", _("Stopped") if worker.stopped_at else _("Lost"))

    @admin.display(description=_("started"), ordering="started_at")
    def started(self, worker: Worker) -> SafeString | str:
        """Return when it started."""
        return display.moment(worker.started_at)

    @admin.display(description=_("last heartbeat"), ordering="heartbeat_at")
    def heartbeat(self, worker: Worker) -> str:
        """Return how long ago it was heard of."""
        return gettext("%(duration)s ago") % {
            "duration": display.duration(max((clock.now() - worker.heartbeat_at).total_seconds(), 0))
        }

    @admin.display(description=_("clock"))
    def host_clock(self, worker: Worker) -> SafeString | str:
        """Return by how much its host's clock is wrong, where that is more than the setting allows."""
        skew = worker.clock_skew_seconds
        if abs(skew) <= conf.get("CLOCK_SKEW_SECONDS"):
            return str(_("right"))
        words = _("ahead") if skew > 0 else _("behind")
        return display.badge("clock_skew", f"{display.duration(abs(skew))} {words}")

    @admin.display(description=_("current job"))
    def doing(self, worker: Any) -> SafeString | str:
        """Return the job it runs, linked."""
        if worker.job_id is None:
            return display.NOTHING
        url = reverse("admin:queue_app_job_change", args=[worker.job_id])
        return format_html('<a href="{}">{} #{}</a>', url, worker.job_type, worker.job_id)

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """Return the worker's state in words and its last jobs."""
        return {
            "life": self.life(row),
            "serves": self.serves(row),
            "heartbeat": self.heartbeat(row),
            "host_clock": self.host_clock(row),
            "doing": self.doing(row),
            "jobs": row.jobs.order_by("-started_at")[:20],
            "types": sorted(row.types),
        }
