"""What is kept from running, and why; placing a pause and lifting one, each after a question."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, DELETION
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from queue_app import blocks, clock, parking, pauses, registry, selectors
from queue_app.admin import display, history
from queue_app.admin.actions import ConfirmedAction, ConfirmedActionsMixin, Met
from queue_app.admin.asked import next_page
from queue_app.admin.lists import how_many_wait, waiting_link
from queue_app.admin.pages import ReadOnlyAdmin
from queue_app.database import atomic
from queue_app.models import Block, BlockKind, Job
from queue_app.states import JobState

LIFTED_BY_HAND = (BlockKind.PAUSE, BlockKind.RATE_LIMIT)
JOBS_NAMED = 20


class PauseForm(forms.Form):
    """What to pause, why, and until when."""

    key = forms.CharField(
        label=_("Pause"),
        max_length=200,
        widget=forms.TextInput(attrs={"list": "block-keys", "autocomplete": "off"}),
        help_text=_("“all”, or one key: queue:default, type:posts.publish, account:7, platform:bluesky."),
    )
    reason = forms.CharField(label=_("Reason"), max_length=300, required=False, help_text=_("Shown where a job waits."))
    until = forms.DateTimeField(
        label=_("Until"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"],
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zone = timezone.get_current_timezone_name()
        self.fields["until"].help_text = _("%(zone)s. Empty: until somebody lifts it.") % {"zone": zone}

    def clean_key(self) -> str:
        """Return the key; refuse what is none."""
        try:
            return pauses.check_key(self.cleaned_data["key"].strip())
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None

    def clean_until(self) -> datetime | None:
        """Return the end; refuse one that is over."""
        try:
            return pauses.check_until(self.cleaned_data["until"], clock.now())
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None


def key_choices() -> list[str]:
    """Return the keys that can be offered: everything, the queues, the types, and those of waiting jobs."""
    waiting = Job.objects.filter(state=JobState.PENDING)
    queues = waiting.order_by("queue").values_list("queue", flat=True).distinct()
    types = sorted(name for name, kind in registry.known().items() if not kind.internal)
    newest = waiting.order_by("-id").values_list("keys", flat=True)[:200]
    own = sorted({key for keys in newest for key in keys})
    names = dict.fromkeys(["default", *queues])
    return [blocks.EVERYTHING, *(f"queue:{name}" for name in names), *(f"type:{name}" for name in types), *own]


class Lift(ConfirmedAction):
    """End pauses, and limits that a platform asked for."""

    name, label, done = "lift", _("Lift"), _("lifted; what waited runs again")
    permission = "queue_app.delete_block"
    flag = DELETION

    def why_not(self, row: Block, request: HttpRequest) -> str:
        """Skip what its own page ends: reconnecting or enabling the account, the maintenance window."""
        if row.kind in LIFTED_BY_HAND:
            return ""
        if row.kind == BlockKind.MAINTENANCE:
            return gettext("it ends with its maintenance window: change or disable that")
        return gettext("it ends when the account is reconnected or enabled")

    def met_by(self, row: Block, request: HttpRequest) -> list[Met]:
        """Say how many jobs waited, and that they do not all go at once."""
        number = parking.count(row.key)
        words = ngettext(
            "%(number)s job waits. It starts when its turn comes; limits hold.",
            "%(number)s jobs wait. They start one after another, in their order; limits hold.",
            number,
        )
        return [Met(words % {"number": f"{number:,}"})] if number else []

    def warning_for(self, rows: Any) -> str:
        """Warn of asking a platform before its time."""
        early = any(row.kind == BlockKind.RATE_LIMIT for row in rows)
        return gettext("A platform asked to wait: going on early may make it wait longer.") if early else ""

    def perform(self, row: Block, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Lift it; what waits is let go once that has committed."""
        waiting = parking.count(row.key)
        if row.kind == BlockKind.PAUSE:
            pauses.resume(row.key, actor=request.user.get_username())
        else:
            blocks.lift(row.key, BlockKind(row.kind))
        return gettext("%(key)s, %(waiting)s jobs waited") % {"key": row.key, "waiting": f"{waiting:,}"}


@admin.register(Block)
class BlockAdmin(ConfirmedActionsMixin, ReadOnlyAdmin):
    """Blocks: pauses are placed and lifted here, the others are shown."""

    page_template = "queue_app/admin/block.html"
    empty_hint = _("Nothing is paused, limited or blocked.")
    confirmed_actions = [Lift]
    list_display = ["key", "kind_badge", "reason", "begins", "ends", "actor", "parked"]
    list_filter = ["kind"]
    search_fields = ["key", "reason"]
    ordering = ["key"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Block]:
        """Return the blocks with how many jobs wait under each."""
        rows: QuerySet[Block] = super().get_queryset(request)
        return rows.annotate(parked_jobs=how_many_wait(OuterRef("key")))

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whoever may add blocks places pauses."""
        return request.user.has_perm("queue_app.add_block")

    @admin.display(description=_("kind"), ordering="kind")
    def kind_badge(self, block: Block) -> SafeString:
        """Return the kind with its icon."""
        return display.badge(block.kind, block.get_kind_display().capitalize())

    @admin.display(description=_("from"), ordering="created_at")
    def begins(self, block: Block) -> SafeString | str:
        """Return from when on it holds."""
        return display.moment(block.starts_at or block.created_at)

    @admin.display(description=_("until"), ordering="until")
    def ends(self, block: Block) -> SafeString | str:
        """Return its end."""
        return display.moment(block.until) if block.until else str(_("it is lifted"))

    @admin.display(description=_("jobs waiting"), ordering="parked_jobs")
    def parked(self, block: Any) -> SafeString | str:
        """Return how many jobs have met it and wait, linked; those due later are not counted."""
        return waiting_link(block.key, block.parked_jobs)

    def page_context(self, request: HttpRequest, row: Block) -> dict[str, Any]:
        """Return the kind, the number of waiting jobs and the buttons."""
        return {
            "kind": self.kind_badge(row),
            "parked": self.parked(row),
            "buttons": self.buttons_for(request, row),
        }

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask what to pause, ask again, then place the pause."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = PauseForm(request.POST or None, initial={"key": request.GET.get("key")})
        sure = form.is_bound and form.is_valid()
        if sure and "confirmed" in request.POST:
            return self._place(request, form.cleaned_data)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": gettext("Pause"),
            "form": form,
            "sure": sure,
            "keys": key_choices(),
            "media": self.media,
            "waiting": self._waiting(form.cleaned_data["key"]) if sure else 0,
            "next": next_page(request),
            "back": reverse("admin:queue_app_block_changelist"),
        }
        return TemplateResponse(request, "queue_app/admin/pause.html", context)

    def _waiting(self, key: str) -> int:
        """Return how many waiting jobs the key covers; those with keys of their own are counted among the newest."""
        waiting = selectors.jobs_of(JobState.PENDING)
        kind, _separator, value = key.partition(":")
        if key == blocks.EVERYTHING:
            return waiting.count()
        if kind in ("queue", "type"):
            return waiting.filter(**{kind: value}).count()
        return sum(key in keys for keys in waiting.values_list("keys", flat=True).iterator())

    def _place(self, request: HttpRequest, answers: dict[str, Any]) -> HttpResponse:
        key, actor = answers["key"], request.user.get_username()
        details = {"reason": answers["reason"], "until": answers["until"], "actor": actor}
        stop = None
        with atomic():
            if key == blocks.EVERYTHING:
                stop = pauses.stop_everything(**details)
            block = stop.block if stop is not None else pauses.pause(key, **details)
            history.record(request, block, ADDITION, gettext("Paused %(key)s.") % {"key": block.key})
        self.message_user(
            request,
            gettext("%(key)s is paused: nothing of it starts until it is lifted.") % {"key": block.key},
            messages.SUCCESS,
        )
        if stop is not None and stop.begun:
            self.message_user(request, _what_goes_on(stop, request), messages.WARNING)
        return HttpResponseRedirect(next_page(request) or reverse("admin:queue_app_block_changelist"))


def _what_goes_on(stop: pauses.Stop, request: HttpRequest) -> SafeString:
    """Name the jobs that the stop came too late for, linked for those who may see jobs."""
    one = len(stop.begun) == 1
    linked = request.user.has_perm("queue_app.view_job")
    names = format_html_join(
        ", ",
        '<a href="{}">{}</a>' if linked else "{1}",
        ((reverse("admin:queue_app_job_change", args=[job.pk]), job) for job in stop.begun[:JOBS_NAMED]),
    )
    more = (
        gettext(" and %(number)s more") % {"number": len(stop.begun) - JOBS_NAMED}
        if len(stop.begun) > JOBS_NAMED
        else ""
    )
    said = (
        gettext("1 job was already being sent and goes on")
        if one
        else gettext("%(number)s jobs were already being sent and go on") % {"number": len(stop.begun)}
    )
    return format_html("{}: {}{}", said, names, more)
