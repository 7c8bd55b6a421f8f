from __future__ import annotations

import pytest

from posts.platforms.bluesky import Bluesky
from posts.publishing import registry
from posts.publishing.registry import UnknownPlatform, get, platforms, register


class Extra(Bluesky):
    name = "extra"


class AlsoExtra(Bluesky):
    name = "extra"


@pytest.fixture(autouse=True)
def own_registrations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})


def test_modules_with_a_platform_are_found() -> None:
    assert {"bluesky", "telegram"} <= set(platforms())
    assert list(platforms()) == sorted(platforms())
    assert all(platform.name == name for name, platform in platforms().items())


def test_an_app_registers_its_own() -> None:
    register(Extra())
    register(Extra())
    assert get("extra").name == "extra"
    with pytest.raises(ValueError, match="'extra' already: Extra"):
        register(AlsoExtra())


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownPlatform, match=r"'myspace'.*bluesky,.* telegram") as caught:
        get("myspace")
    assert caught.value.name == "myspace"
    assert {"bluesky", "telegram"} <= set(caught.value.known)
