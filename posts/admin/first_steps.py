"""The steps of a new site, each ticked once it is done: connect, write, schedule, see it live. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Count
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from posts.models import PostStatus
from posts.selectors.posts import usable_accounts, visible_posts

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


FEW_POSTS = 2  # the demo post and one's own; beyond that nobody needs the steps
LIVE = (PostStatus.PUBLISHED, PostStatus.PARTIALLY_PUBLISHED)


@dataclass(frozen=True, slots=True)
class Step:
    """One step. ``url`` is "" where the person may not take it; ``link`` are the words on the way there."""

    title: str
    text: str
    done: bool
    url: str = ""
    link: str = ""


def steps_context(request: HttpRequest) -> dict[str, Any]:
    """Return the steps, while the site is new, whether one is left that may be ticked by itself, and how many posts
    of the person stand in each status."""
    user = request.user
    found = dict(visible_posts(user).order_by().values_list("status").annotate(Count("id")))
    steps = steps_of(user, found) if sum(found.values()) <= FEW_POSTS else []
    return {
        "here": request.get_full_path(),
        "steps": steps,
        "is_moving": not all(step.done for step in steps),
        "counts": [(state, found[state]) for state in PostStatus if state in found],
        "may_write": user.has_perm("posts.add_post"),
    }


def steps_of(user: User | AnonymousUser, found: Mapping[str, int]) -> list[Step]:
    """Return the steps for ``user``; ``found`` are how many of their posts stand in each status."""
    may_connect, may_write = user.has_perm("posts.add_account"), user.has_perm("posts.add_post")
    is_scheduled = any(number for status, number in found.items() if status != PostStatus.DRAFT)
    return [
        Step(
            _("Connect an account."),
            _("The built-in outbox needs no credentials."),
            usable_accounts(user).exists(),
            reverse("admin:posts_account_add") if may_connect else "",
            _("Connect one"),
        ),
        Step(
            _("Write a post"),
            _("and choose where it goes out."),
            bool(found),
            reverse("admin:posts_post_add") if may_write else "",
            _("Write one"),
        ),
        Step(
            _("Schedule it."),
            _("It goes out by itself; its page says where it stands."),
            is_scheduled,
            f"{reverse('admin:posts_post_changelist')}?status__exact=draft" if found else "",
            _("Open your drafts"),
        ),
        Step(
            _("See it live."),
            _("A worker of this site sends it when it is due; this tick comes by itself."),
            any(found.get(status) for status in LIVE),
            f"{reverse('admin:posts_post_changelist')}?status__exact=scheduled" if is_scheduled else "",
            _("See what is scheduled"),
        ),
    ]
