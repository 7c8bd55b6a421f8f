from __future__ import annotations

import pytest

from posts.platforms._pieces import going_on
from posts.publishing.errors import NotReady, PublishError, RateLimited, Temporary, TokenExpired, Unreachable
from tests.posts.platforms.test_tiktok import now


@pytest.mark.parametrize("error", [Unreachable("connect_failed"), Temporary("connection_lost")])
def test_a_passing_fault_after_progress_uses_up_no_attempt(error: PublishError) -> None:
    assert isinstance(going_on(error, progressed=True), NotReady)
    assert going_on(error, progressed=False) is error


def test_the_networks_own_delay_is_kept() -> None:
    slowed = going_on(Temporary("server_error", retry_after_seconds=120), progressed=True)
    assert isinstance(slowed, NotReady)
    assert slowed.check_after_seconds == 120


@pytest.mark.parametrize("error", [Temporary("server_error", restart=True), TokenExpired(), RateLimited(until=now())])
def test_everything_else_stays_what_it_is(error: PublishError) -> None:
    assert going_on(error, progressed=True) is error
