"""From the bodies of the API to the services: a post that is made, one that is changed, and a trial of either.

Each is one transaction; what it refuses is a ServiceError of the services, or of here where a body contradicts itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.timezone import get_default_timezone_name
from django.utils.translation import gettext as _

from posts.models import Post
from posts.rest.schemas import DRAFT, PUBLISHED, SCHEDULED, OverrideIn, PostChange, PostIn
from posts.services import (
    publish_now,
    queueing,
    reschedule_post,
    save_draft,
    schedule_post,
    unschedule_post,
)
from posts.services.errors import Problem, ValidationFailed
from posts.services.schedule import waiting
from posts.services.validation import notes_of, problems_of
from posts.text.wall_time import AmbiguousError, UnknownZone, WallTimeError, parse_wall_time
from queue_app.database import alias, atomic

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# Fields that are the post's own, and not when it goes out.
EDITED = frozenset(PostChange.model_fields) - {"status", "scheduled_at"}


@dataclass(frozen=True, slots=True)
class Due:
    """When a post goes out: the instant, and the wall time (ISO, "" where an offset was given) in ``timezone``."""

    at: datetime
    wall_time: str
    timezone: str

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the services."""
        return {"at": self.at, "wall_time": self.wall_time, "timezone": self.timezone}


@dataclass(frozen=True, slots=True)
class Trial:
    """What would become of a body: what would be refused, and what a person should know."""

    problems: list[Problem]
    notes: list[Problem]


def make_post(body: PostIn, person: User) -> Post:
    """Write a post for ``person``, and schedule or publish it as it says; return it as stored."""
    status = body.status or (SCHEDULED if body.scheduled_at else DRAFT)
    zone = body.timezone or get_default_timezone_name()
    due = due_of(body.scheduled_at, zone)
    _require_time(status, has_time=due is not None)
    _require_listed(body.overrides, body.accounts)
    with queueing.one_transaction():
        post = save_draft(
            post=None,
            owner=person,
            text=body.text,
            account_ids=body.accounts,
            media=[(each.id, each.alt) for each in body.media],
            own_texts={each.account: each.text for each in body.overrides},
            options={each.account: each.options for each in body.overrides if each.options is not None},
            thread_mode=body.thread_mode,
            first_comment=body.first_comment,
            language=body.language,
            timezone=zone if body.timezone or due is not None else "",
            priority=body.priority,
            expires_at=_instant("expires_at", body.expires_at, zone),
            tags=body.tags,
            actor=person,
        )
        if due is not None:
            post = schedule_post(post, **due.arguments(), actor=person)
        elif status == PUBLISHED:
            post = publish_now(post, actor=person)
    return post


def change_post(post: Post, body: PostChange, person: User, expected_version: int | None) -> Post:
    """Change what ``body`` names of ``post``, then take it back, schedule, move or publish it; return it as stored."""
    zone = body.timezone or post.timezone or get_default_timezone_name()
    due = due_of(body.scheduled_at, zone)
    status = body.status or (SCHEDULED if due is not None else None)
    with queueing.one_transaction():
        if status == DRAFT:
            _require_time(DRAFT, has_time=due is not None)
            post = unschedule_post(post, expected_version=expected_version, actor=person)
            expected_version = None
        if body.named & EDITED:
            post = _edit(post, body, zone, person, expected_version)
            expected_version = None
        if status == PUBLISHED:
            _require_time(PUBLISHED, has_time=due is not None)
            return publish_now(post, actor=person)
        is_waiting = bool(waiting(post))
        if is_waiting and due is None and "scheduled_at" in body.model_fields_set:
            _require_time(SCHEDULED, has_time=False)  # whoever sends no time must not believe that it waits no more
        if due is None and is_waiting and body.timezone is not None and post.scheduled_at is not None:
            due = Due(post.scheduled_at, "", zone)  # the same instant, by other clocks
        if due is not None:
            move = reschedule_post if is_waiting else schedule_post
            return move(post, **due.arguments(), expected_version=expected_version, actor=person)
        if not is_waiting:
            _require_time(status, has_time=False)
    return post


def try_post(body: PostIn, person: User) -> Trial:
    """Make a post as ``make_post`` does and undo it; return what it would refuse. A draft is judged as if it went out
    now."""
    with atomic():
        try:
            post = make_post(body, person)
            problems = problems_of(post) if post.status == DRAFT.lower() else []
            return Trial(problems, notes_of(post, queueing.deliveries_of(post)))
        except ValidationFailed as error:
            return Trial(error.problems, [])
        finally:
            transaction.set_rollback(True, using=alias())


def _edit(post: Post, body: PostChange, zone: str, person: User, expected_version: int | None) -> Post:
    """Save the post with what ``body`` names of it, the rest as it is."""
    deliveries = queueing.deliveries_of(post)
    accounts = [each.account_id for each in deliveries] if body.accounts is None else body.accounts
    own_texts = {each.account_id: each.text_override or "" for each in deliveries}
    options = {}
    if body.overrides is not None:
        _require_listed(body.overrides, accounts)
        own_texts = {each.account: each.text for each in body.overrides}
        options = {each.account: each.options for each in body.overrides if each.options is not None}
    media = list(post.post_media.values_list("media_id", "alt_text"))
    if body.media is not None:
        media = [(each.id, each.alt) for each in body.media]
    named = ("text", "thread_mode", "first_comment", "language", "timezone", "priority")
    changed = {name: getattr(body, name) for name in named if getattr(body, name) is not None}
    expires_at = _instant("expires_at", body.expires_at, zone) if "expires_at" in body.named else post.expires_at
    return save_draft(
        post=post,
        owner=person,
        account_ids=accounts,
        media=media,
        own_texts=own_texts,
        options=options,
        expires_at=expires_at,
        tags=body.tags,
        expected_version=expected_version,
        actor=person,
        **({name: getattr(post, name) for name in named} | changed),
    )


def due_of(text: str | None, zone: str) -> Due | None:
    """Return when ``text`` says that a post goes out, on the clocks of ``zone`` where it has no offset."""
    at = _instant("scheduled_at", text, zone)
    if at is None or text is None:
        return None
    moment = datetime.fromisoformat(text.strip())
    return Due(at, moment.isoformat(timespec="seconds") if moment.tzinfo is None else "", zone)


def _instant(field: str, text: str | None, zone: str) -> datetime | None:
    """Return the instant that ``text`` means. Raises ValidationFailed, with both where the clocks show it twice."""
    if text is None:
        return None
    try:
        return parse_wall_time(text, zone)
    except AmbiguousError as error:
        both = {"first": error.earlier, "second": error.later}
        shown = {name: at.astimezone(ZoneInfo(zone)).isoformat() for name, at in both.items()}
        message = f"{error} {_('Send it with its offset: %(first)s or %(second)s') % shown}"
        raise ValidationFailed([Problem(field, message)]) from None
    except UnknownZone as error:
        raise ValidationFailed([Problem("timezone", str(error))]) from None
    except WallTimeError as error:
        raise ValidationFailed([Problem(field, str(error))]) from None


def _require_time(status: str | None, *, has_time: bool) -> None:
    """Raise ValidationFailed where a status and a time contradict each other."""
    messages = {
        (DRAFT, True): _("A draft has no time; leave it out, or send the status SCHEDULED"),
        (SCHEDULED, False): _("A scheduled post needs a time; send one, or the status DRAFT or PUBLISHED"),
        (PUBLISHED, True): _("The status PUBLISHED means now; leave the time out, or send the status SCHEDULED"),
    }
    message = messages.get((status or "", has_time))
    if message is not None:
        raise ValidationFailed([Problem("scheduled_at", message)])


def _require_listed(overrides: Sequence[OverrideIn], accounts: Sequence[int]) -> None:
    """Raise ValidationFailed for what is said of an account that the post does not go to, or said twice of one."""
    problems, seen = [], set()
    for place, each in enumerate(overrides):
        if each.account not in accounts:
            message = _("The post does not go out on account %(account)s; add it to the accounts")
        elif each.account in seen:
            message = _("Account %(account)s is named twice; put all that is its own in one place")
        else:
            seen.add(each.account)
            continue
        problems.append(Problem("overrides", message % {"account": each.account}, place=place))
    if problems:
        raise ValidationFailed(problems)
