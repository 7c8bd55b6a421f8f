"""Writing an account's weekly posting slots. Each change is made to what is stored, under a lock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import time
from typing import TYPE_CHECKING

from django.utils.translation import gettext

from posts.models import Account, Slot
from posts.selectors.posts import may_see
from posts.selectors.slots import zone_of_slots
from posts.services.errors import NotAllowed, Problem, ValidationFailed
from posts.services.validation import zone_problems
from queue_app.database import atomic

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MOST_A_DAY = 24
DAYS_OF_WEEK = range(7)
# A plan: (weekday from Monday 0, time of day) of each slot.
Plan = set[tuple[int, time]]


def add_slot(account: Account, weekday: int, at: time, *, actor: User | None = None) -> Account:
    """Add one slot, to the minute; one that is there already is no error. Raises ValidationFailed, NotAllowed."""
    return _change(account, lambda plan: plan | {(weekday, at)}, actor=actor)


def remove_slot(account: Account, weekday: int, at: time, *, actor: User | None = None) -> Account:
    """Take one slot away; one that is gone already is no error. Posts that were scheduled for it stay."""
    return _change(account, lambda plan: plan - {(weekday, at)}, actor=actor)


def copy_day(account: Account, weekday: int, to: Iterable[int], *, actor: User | None = None) -> Account:
    """Give the days ``to`` the slots of ``weekday`` in place of their own."""
    days = set(to) - {weekday}

    def copied(plan: Plan) -> Plan:
        kept = {(day, at) for day, at in plan if day not in days}
        return kept | {(day, at) for day in days for found, at in plan if found == weekday}

    return _change(account, copied, actor=actor)


def set_slots_timezone(account: Account, timezone: str, *, actor: User | None = None) -> Account:
    """Read the account's slots on the clocks of another zone; the times stay as they are written."""
    return _change(account, lambda plan: plan, timezone=timezone, actor=actor)


def _change(
    account: Account, change: Callable[[Plan], Plan], *, timezone: str | None = None, actor: User | None
) -> Account:
    with atomic():
        stored = Account.objects.select_for_update().get(pk=account.pk)
        if actor is not None and not (actor.has_perm("posts.change_account") and may_see(actor, stored.owner_id)):
            raise NotAllowed(
                gettext("%(actor)s may not plan the slots of %(stored)s; ask an administrator")
                % {"actor": actor.get_username(), "stored": stored}
            )
        zone = zone_of_slots(stored) if timezone is None else timezone
        before: Plan = set(stored.slots.values_list("weekday", "wall_time"))
        wanted = {(day, at.replace(second=0, microsecond=0, tzinfo=None)) for day, at in change(before)}
        problems = [*zone_problems(zone), *_plan_problems(wanted)]
        if problems:
            raise ValidationFailed(problems)
        for day, at in before - wanted:
            stored.slots.filter(weekday=day, wall_time=at).delete()
        Slot.objects.bulk_create(Slot(account=stored, weekday=day, wall_time=at) for day, at in sorted(wanted - before))
        if stored.slots_timezone != zone:
            stored.slots_timezone = zone
            stored.save(update_fields=["slots_timezone"])
    return stored


def _plan_problems(plan: Plan) -> list[Problem]:
    if not all(day in DAYS_OF_WEEK for day, _ in plan):
        return [Problem("slots", gettext("A day of the week is 0 (Monday) to 6 (Sunday)"))]
    fullest = max((sum(found == day for found, _ in plan) for day in DAYS_OF_WEEK), default=0)
    if fullest > MOST_A_DAY:
        return [
            Problem(
                "slots",
                gettext("A day would have %(fullest)s slots, the most is %(most_a_day)s; remove some first")
                % {"fullest": fullest, "most_a_day": MOST_A_DAY},
            )
        ]
    return []
