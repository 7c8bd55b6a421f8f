"""Which platforms there are. A module in ``posts.platforms`` with a ``PLATFORM`` is one, so is what an
installed package names as an entry point of ``socialq.platforms``; others register themselves.

Owns the list only: whether a site has enabled a platform is its settings' business.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType

from posts.publishing.platform import Platform
from posts.publishing.words import learn

PACKAGE = "posts.platforms"
ENTRY_POINTS = "socialq.platforms"

_registered: dict[str, Platform] = {}


class UnknownPlatform(LookupError):
    """No platform has this name."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        self.name = name
        self.known = known
        super().__init__(f"There is no platform {name!r}. Known: {', '.join(known)}.")


def platforms() -> Mapping[str, Platform]:
    """Return all platforms by name, in alphabetical order."""
    return MappingProxyType(dict(sorted((_discovered() | _registered).items())))


def get(name: str) -> Platform:
    """Return the platform called ``name``; ``UnknownPlatform`` if there is none."""
    known = platforms()
    if name not in known:
        raise UnknownPlatform(name, tuple(known))
    return known[name]


def register(platform: Platform) -> None:
    """Add a platform that is no module of ``posts.platforms``; called when an app starts.

    Registering the same class again replaces it. ``ValueError`` if another platform has the name.
    """
    existing = platforms().get(platform.name)
    if existing is not None and type(existing) is not type(platform):
        raise ValueError(f"There is a platform {platform.name!r} already: {type(existing).__qualname__}")
    learn(platform.words)
    _registered[platform.name] = platform


@cache
def _discovered() -> dict[str, Platform]:
    found: dict[str, Platform] = {}
    for module in pkgutil.iter_modules(importlib.import_module(PACKAGE).__path__):
        platform = getattr(importlib.import_module(f"{PACKAGE}.{module.name}"), "PLATFORM", None)
        if isinstance(platform, Platform):
            found[platform.name] = platform
    for point in entry_points(group=ENTRY_POINTS):
        platform = point.load()
        if not isinstance(platform, Platform) or platform.name in found:
            raise ValueError(f"The entry point {point.value} of {ENTRY_POINTS} is no platform, or its name is taken")
        found[platform.name] = platform
    for platform in found.values():
        learn(platform.words)
    return found
