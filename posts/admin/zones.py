"""In which zone a person reads and writes times, and what a form offers. Reads only."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

from django.utils import timezone

from posts.models import Post

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

NOT_PLACES = ("Etc", "SystemV", "US", "posix", "right")
Choices = list[tuple[str, list[tuple[str, str]]]]


def zone_of(person: User | AnonymousUser) -> str:
    """Return the zone that ``person`` wrote a post in last, else the current one."""
    own = Post.objects.filter(owner=person.pk).exclude(timezone="") if person.pk else Post.objects.none()
    last = own.order_by("-id").values_list("timezone", flat=True).first()
    return last if last in available_timezones() else timezone.get_current_timezone_name()


def offset_words(zone: str, at: datetime) -> str:
    """Return the offset of ``zone`` at ``at``, such as UTC+02:00."""
    text = at.astimezone(ZoneInfo(zone)).strftime("%z")
    return f"UTC{text[:3]}:{text[3:5]}"


@cache
def zone_choices() -> Choices:
    """Return every IANA zone that names a place, and UTC, by region."""
    regions: dict[str, list[tuple[str, str]]] = {"": [("UTC", "UTC")]}
    for name in sorted(available_timezones()):
        region, separator, _city = name.partition("/")
        if separator and region not in NOT_PLACES:
            regions.setdefault(region, []).append((name, name.replace("_", " ")))
    return list(regions.items())
