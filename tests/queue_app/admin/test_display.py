from __future__ import annotations

from datetime import UTC, datetime

import pytest

from posts.models import DeliveryStatus, PostStatus
from queue_app.admin import display
from queue_app.admin.breaker import STATES
from queue_app.models import AttemptOutcome, BlockKind, EventName
from queue_app.states import JobState
from tests.site import ROOT


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0.0084, "8 ms"),
        (1.44, "1.4 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (86_400, "1 day"),
        (300_000, "3 days"),
    ],
)
def test_a_duration_has_its_fitting_unit(seconds: float | None, text: str) -> None:
    assert display.duration(seconds) == text


@pytest.mark.parametrize("states", [JobState, PostStatus, DeliveryStatus, AttemptOutcome, BlockKind, EventName])
def test_every_state_has_an_icon_that_exists(states: type[JobState]) -> None:
    sprite = (ROOT / "queue_app/static" / display.SPRITE).read_text()
    for state in states:
        icon, _tone = display.LOOKS[state.value]
        assert f'id="{icon}"' in sprite
        assert str(state.label) in display.badge(state.value, state.label)


@pytest.mark.parametrize("value", [*STATES, "clock_skew"])
def test_breakers_and_clocks_have_a_look_that_exists(value: str) -> None:
    icon, _tone = display.LOOKS[value]
    assert f'id="{icon}"' in (ROOT / "queue_app/static" / display.SPRITE).read_text()


def test_a_moment_is_told_in_a_named_zone() -> None:
    text = display.moment(datetime(2026, 7, 1, 12, 5, 7, tzinfo=UTC), "Europe/Berlin")
    assert "2026-07-01 14:05" in text
    assert "Europe/Berlin" in text
    assert "UTC+0200" in text
    assert ".042" in display.exact_moment(datetime(2026, 7, 1, 12, 5, 7, 42_000, tzinfo=UTC))
