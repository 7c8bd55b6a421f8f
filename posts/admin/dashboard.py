"""The posts' panels of the dashboard: in place of the queue's, in the words of people who publish."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Count, Prefetch
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from posts.admin import zones
from posts.models import Delivery, DeliveryStatus, Post, PostStatus
from posts.selectors.attention import late_count, needs_attention, visible_deliveries
from posts.selectors.posts import SEE_ALL, usable_accounts, visible_posts
from queue_app import clock
from queue_app.admin import once
from queue_app.admin.dashboard import Need, Panel, Switch, Tally, register, switch_source
from queue_app.admin.panels import PANELS, day_context
from queue_app.models import Job
from queue_app.recent import last_day

PUBLISH = "posts.publish"
NEXT_SHOWN, ACCOUNTS_OFFERED = 8, 200


def attention(request: HttpRequest) -> Mapping[str, Any]:
    """Return what waits for this person, of the posts and accounts that they see."""
    user = request.user
    found = once.once(request, "attention", lambda: needs_attention(user))
    deliveries, accounts = reverse("admin:posts_delivery_changelist"), reverse("admin:posts_account_changelist")
    needs = [
        Need(
            "needs_review",
            _("to review"),
            Tally(found.needs_review),
            f"{deliveries}?needs=review",
            _("May already be live. Look there, then say whether it is."),
        ),
        Need(
            "reconnect",
            _("accounts to reconnect"),
            Tally(found.reconnect),
            f"{accounts}?needs=reconnect",
            _("Their posts are held and go out once you have logged in again."),
        ),
        Need(
            "failed",
            _("failed"),
            Tally(found.failed),
            f"{deliveries}?needs=failed",
            _("In the last seven days. Each says why, and what to do next."),
        ),
        Need(
            "late",
            _("late"),
            Tally(late_count(user)),
            f"{deliveries}?needs=late",
            _("Due, and not out yet. Each says what keeps it."),
        ),
    ]
    return {"needs": [need for need in needs if need.tally]}


def standing(request: HttpRequest) -> Mapping[str, Any]:
    """Return how many posts stand where."""
    found = dict(visible_posts(request.user).order_by().values_list("status").annotate(Count("id")))
    posts = reverse("admin:posts_post_changelist")
    states = [
        (state.value, state.label, f"{found[state]:,}", f"{posts}?status__exact={state.value}")
        for state in PostStatus
        if state in found
    ]
    return {"states": states, "may_write": request.user.has_perm("posts.add_post")}


def day(request: HttpRequest) -> Mapping[str, Any]:
    """Return what went out and what failed in the last 24 hours."""
    jobs = Job.objects.filter(type=PUBLISH)
    if not request.user.has_perm(SEE_ALL):
        jobs = jobs.filter(pk__in=visible_deliveries(request.user).exclude(job=None).values("job"))
    return day_context(last_day(jobs, clock.now()), str(_("published")), _zone(request))


def coming(request: HttpRequest) -> Mapping[str, Any]:
    """Return the posts that go out next."""
    accounts = Delivery.objects.filter(status=DeliveryStatus.SCHEDULED).select_related("account")
    planned = visible_posts(request.user).filter(status=PostStatus.SCHEDULED, scheduled_at__gte=clock.now())
    shown = planned.order_by("scheduled_at", "pk").prefetch_related(Prefetch("deliveries", accounts))[:NEXT_SHOWN]
    return {
        "rows": [
            (post.scheduled_at, _words(post), reverse("admin:posts_post_change", args=[post.pk])) for post in shown
        ],
        "zone": _zone(request),
    }


@switch_source
def accounts(request: HttpRequest) -> list[Switch]:
    """Return a switch for each account that the person may use."""
    found = usable_accounts(request.user).order_by("platform", "name")
    return [Switch(account.block_key, str(account)) for account in found[:ACCOUNTS_OFFERED]]


def _words(post: Post) -> str:
    names = ", ".join(str(delivery.account) for delivery in post.deliveries.all())
    return f"{post} → {names}" if names else str(post)


VIEW_POST = "posts.view_post"
register(Panel("attention", _("Needs a person first"), 10, f"{PANELS}/attention.html", attention, VIEW_POST))
register(Panel("posts", _("Posts"), 15, "posts/admin/panels/posts.html", standing, VIEW_POST))
register(Panel("day", _("The last 24 hours"), 40, f"{PANELS}/day.html", day, VIEW_POST))
register(Panel("next", _("What is next"), 50, f"{PANELS}/next.html", coming, VIEW_POST))


def _zone(request: HttpRequest) -> str:
    return once.once(request, "zone", lambda: zones.zone_of(request.user))
