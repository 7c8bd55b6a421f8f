"""The dashboard's switches: what can be paused, what is, and the way to the question that pauses or resumes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from queue_app import registry, routes
from queue_app.admin import once
from queue_app.admin.asked import NEXT
from queue_app.admin.dashboard import Panel, Switch, register, switch_source, switches
from queue_app.blocks import EVERYTHING
from queue_app.models import Block

SHOWN = 40


@switch_source
def everything_and_queues(request: HttpRequest) -> list[Switch]:
    """Return the switch of everything, and one of each queue that jobs are sent to or wait in."""
    own = {routes.queue_for(kind.name, kind.queue) for kind in registry.known().values() if not kind.internal}
    names = sorted({"default", *own, *once.waiting(request).by_queue()})
    return [Switch(key, name_of(key)) for key in (EVERYTHING, *(f"queue:{name}" for name in names))]


def panel(request: HttpRequest) -> Mapping[str, Any]:
    """Return the switches, paused ones with their pause; paused keys that no app offers stand last."""
    blocks = {block.key: block for block in once.paused(request)}
    offered = list(switches(request))
    known = {switch.key for switch in offered}
    offered += [Switch(key, name_of(key)) for key in blocks if key not in known]
    rows = [_row(switch, blocks.get(switch.key)) for switch in offered]
    first = [row for row in rows if row["block"] or row["key"] == EVERYTHING]
    rest = [row for row in rows if row not in first]
    return {
        "rows": first + rest[: max(SHOWN - len(first), 0)],
        "more": len(first) + len(rest) > max(SHOWN, len(first)),
        "may_pause": request.user.has_perm("queue_app.add_block"),
        "may_resume": request.user.has_perm("queue_app.delete_block"),
        "list_url": reverse("admin:queue_app_block_changelist"),
        "add_url": reverse("admin:queue_app_block_add"),
        "selected": ACTION_CHECKBOX_NAME,
        "next": reverse("admin:queue_app_dashboard"),
    }


def name_of(key: str) -> str:
    """Return a key by the name that people know it by, as far as the queue knows one."""
    kind, _separator, name = key.partition(":")
    if key == EVERYTHING:
        return _("Everything")
    return _("Queue %(name)s") % {"name": name} if kind == "queue" else key


def _row(switch: Switch, block: Block | None) -> dict[str, Any]:
    query = urlencode({"key": switch.key, NEXT: reverse("admin:queue_app_dashboard")})
    url = f"{reverse('admin:queue_app_block_add')}?{query}"
    return {"key": switch.key, "label": switch.label, "block": block, "pause_url": url}


register(
    Panel(
        "switches",
        gettext_lazy("Pause switches"),
        30,
        "queue_app/admin/panels/switches.html",
        panel,
        "queue_app.view_block",
    )
)
