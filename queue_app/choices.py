"""What each person wants to be told: the one reader and writer of their choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from queue_app import clock
from queue_app.mail import MAIL
from queue_app.models import NoticeChoice
from queue_app.notices import kinds

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Wishes = Mapping[str, Sequence[str]]


def default_wishes() -> Wishes:
    """Return what the owner of something is told of it, by channel, who has chosen nothing."""
    return {MAIL: [kind.name for kind in kinds().values() if kind.by_default]}


def wishes_of(person: User) -> Wishes:
    """Return the names of the kinds that the person is told, by channel."""
    choice = NoticeChoice.objects.filter(user=person).first()
    return default_wishes() if choice is None else choice.kinds


def choose(person: User, wishes: Wishes) -> None:
    """Keep what the person wants to be told, by channel, from now on."""
    kept = {channel: sorted(names) for channel, names in wishes.items()}
    NoticeChoice.objects.update_or_create(user=person, defaults={"kinds": kept, "updated_at": clock.now()})
