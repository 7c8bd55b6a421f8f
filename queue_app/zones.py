"""The IANA time zones that people may choose from. Knows names; what a wall time means is its user's business."""

from __future__ import annotations

from functools import cache
from zoneinfo import ZoneInfo, available_timezones

NOT_PLACES = ("Etc", "SystemV", "US", "posix", "right")
Choices = list[tuple[str, list[tuple[str, str]]]]


def rules_of(name: str) -> ZoneInfo:
    """Return the zone ``name``. Raises ValueError where the IANA database has none of that name."""
    # Looked up in the list first: ZoneInfo alone opens whatever file is there, "localtime" included.
    if name not in _names():
        raise ValueError(f"“{name[:40]}” is not a time zone; choose a name like Europe/Berlin.")
    return ZoneInfo(name)


def is_zone(name: str | None) -> bool:
    """Return whether the IANA database has ``name``; its folder is read once."""
    return name in _names()


@cache
def zone_choices() -> Choices:
    """Return every IANA zone that names a place, and UTC, by region: the choices of a form's field."""
    regions: dict[str, list[tuple[str, str]]] = {"": [("UTC", "UTC")]}
    for name in sorted(available_timezones()):
        region, separator, _city = name.partition("/")
        if separator and region not in NOT_PLACES:
            regions.setdefault(region, []).append((name, name.replace("_", " ")))
    return list(regions.items())


@cache
def _names() -> frozenset[str]:
    return frozenset(available_timezones() - {"localtime", "posixrules", "Factory"})
