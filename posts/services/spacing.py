"""Several posts at even distances: rescheduling a selection, and queueing one upload for several platforms."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.utils.translation import gettext

from posts import conf
from posts.models import Post
from posts.publishing import registry
from posts.selectors.posts import usable_accounts
from posts.services import access, queueing
from posts.services.drafts import save_draft
from posts.services.errors import Problem, ValidationFailed
from posts.services.occurrences import mark_changed
from posts.services.schedule import move, start, waiting
from queue_app import clock

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MOST_MINUTES = 10 * 366 * 24 * 60


def reschedule_with_spacing(
    posts: Sequence[Post], *, first_at: datetime, interval_minutes: float, actor: User | None = None
) -> list[Post]:
    """Have ``posts``, in their order, go out at ``first_at`` (aware) and every ``interval_minutes`` after it.

    Waiting posts are moved, others scheduled; all or none. Raises ValidationFailed, Refused, Conflict, NotAllowed.
    """
    _require_minutes(interval_minutes=interval_minutes)
    with queueing.one_transaction():
        stored = queueing.lock_posts([post.pk for post in posts])
        for place, post in enumerate(stored):
            at = first_at + timedelta(minutes=place * interval_minutes)
            if waiting(post):
                access.require(actor, "reschedule_post", post)
                move(post, at, actor=actor)
            else:
                access.require(actor, "schedule_post", post)
                start(post, at, actor=actor)
            mark_changed(post, actor)
    for post in stored:
        post.refresh_from_db()
    return stored


def queue_posts(
    media: Sequence[tuple[int, str]],
    platforms: Sequence[str],
    start_delay_minutes: float,
    interval_minutes: float = 60,
    *,
    owner: User | None = None,
    text: str = "",
    actor: User | None = None,
) -> list[int]:
    """Queue one post a platform, to all its enabled accounts, spaced by ``interval_minutes``; return the jobs' ids.

    ``media`` are (id, alt text). The first post is due in ``start_delay_minutes``. All or none: raises ValidationFailed
    for an unknown or disabled platform, one without an enabled account, and content that does not fit, NotAllowed.
    """
    access.require(actor, "schedule_post")
    _require_minutes(start_delay_minutes=start_delay_minutes, interval_minutes=interval_minutes)
    names = list(dict.fromkeys(platforms))
    accounts = {name: enabled_accounts(name, owner) for name in names}
    problems = [problem for name in names for problem in platform_problems(name, accounts[name])]
    if not names:
        problems.append(Problem("platforms", gettext("No platform was named; name at least one")))
    if problems:
        raise ValidationFailed(problems)
    first_at = clock.now() + timedelta(minutes=start_delay_minutes)
    job_ids: list[int] = []
    with queueing.one_transaction():
        for place, name in enumerate(names):
            post = save_draft(post=None, owner=owner, text=text, account_ids=accounts[name], media=media, actor=actor)
            at = first_at + timedelta(minutes=place * interval_minutes)
            job_ids += start(post, at, actor=actor)
    return job_ids


def enabled_accounts(platform: str, owner: User | None) -> list[int]:
    """Return the enabled accounts of a platform that ``owner`` may post to, by id."""
    accounts = usable_accounts(owner).filter(platform=platform, enabled=True).order_by("pk")
    return list(accounts.values_list("pk", flat=True))


def platform_problems(name: str, account_ids: Sequence[int]) -> list[Problem]:
    """Return why nothing can be queued for the platform ``name``, of whose accounts ``account_ids`` are enabled."""
    known = registry.platforms()
    if name not in known:
        return [
            Problem(
                "platforms",
                gettext("There is no platform “%(name)s”; known: %(known)s")
                % {"name": name, "known": ", ".join(known)},
            )
        ]
    label = known[name].label
    if name not in conf.get("ENABLED_PLATFORMS"):
        return [
            Problem(
                "platforms",
                gettext("%(label)s is not enabled on this site; add %(name)s to SOCIALQ_ENABLED_PLATFORMS")
                % {"label": label, "name": name},
            )
        ]
    if not account_ids:
        return [
            Problem("platforms", gettext("%(label)s has no enabled account; connect or enable one") % {"label": label})
        ]
    return []


def _require_minutes(**minutes: float) -> None:
    problems = [
        Problem(
            name,
            gettext("%(replace)s must be 0 or more, and less than ten years, not %(value)s")
            % {"replace": name.replace("_", " ").capitalize(), "value": value},
        )
        for name, value in minutes.items()
        if not 0 <= value < MOST_MINUTES
    ]
    if problems:
        raise ValidationFailed(problems)
