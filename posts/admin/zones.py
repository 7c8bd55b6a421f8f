"""In which zone a person reads and writes times, and how far it is from UTC. Reads only."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.utils import timezone

from posts.models import Post
from queue_app.zones import is_zone, zone_choices

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

KEPT = "_zone_of_last_post"


def zone_of(person: User | AnonymousUser) -> str:
    """Return the zone that ``person`` wrote a post in last, else the current one; asked once for each request."""
    kept = vars(person)  # each request has a person of its own
    if KEPT not in kept:
        own = Post.objects.filter(owner=person.pk).exclude(timezone="") if person.pk else Post.objects.none()
        last = own.order_by("-id").values_list("timezone", flat=True).first()
        kept[KEPT] = last if last is not None and is_zone(last) else timezone.get_current_timezone_name()
    return str(kept[KEPT])


def usable(name: str) -> str:
    """Return ``name`` where it is among the zones that a form offers, else ""."""
    return name if any(name == value for _region, names in zone_choices() for value, _label in names) else ""


def offset_words(zone: str, at: datetime) -> str:
    """Return the offset of ``zone`` at ``at``, such as UTC+02:00."""
    text = at.astimezone(ZoneInfo(zone)).strftime("%z")
    return f"UTC{text[:3]}:{text[3:5]}"
