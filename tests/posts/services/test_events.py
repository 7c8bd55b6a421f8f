"""Notifications of networks: old ones are forgotten, but for requests that the network asks about later."""

from __future__ import annotations

from datetime import timedelta

import pytest

from posts.models import PlatformEvent
from posts.services import events
from queue_app import clock, purge

pytestmark = pytest.mark.django_db(transaction=True)


def test_old_notifications_go_with_the_daily_purge_and_requests_to_delete_stay() -> None:
    for key, kind, days in (("old", "post", 91), ("asked", events.DELETION, 91), ("new", "post", 89)):
        events.hear("facebook", key, kind, lambda: None)
        PlatformEvent.objects.filter(key=key).update(received_at=clock.now() - timedelta(days=days))
    purge.purge_by_settings()
    assert set(PlatformEvent.objects.values_list("key", flat=True)) == {"asked", "new"}
    assert not events.hear("facebook", "new", "post", lambda: None)
