"""What is brought in order of posts after a restore."""

from __future__ import annotations

import pytest

from posts.services import forwarding
from posts.services.restored import bring_in_order
from queue_app import events, restored
from queue_app.models import Job
from queue_app.states import UNFINISHED
from tests.posts.hearing import endpoint

pytestmark = pytest.mark.django_db(transaction=True)


def test_events_that_were_still_to_be_sent_to_a_webhook_are_queued_anew() -> None:
    desk = endpoint()
    unsent = events.record("post.failed", {"post_id": 1, "owner_id": desk.owner_id})
    forwarding.send_new(desk.pk)  # to nobody
    assert Job.objects.filter(type=forwarding.SEND, state__in=UNFINISHED).count() == 1
    restored.pause("Restored.")
    assert list(bring_in_order()) == []
    restored.hold_unfinished()
    assert not Job.objects.filter(type=forwarding.SEND, state__in=UNFINISHED).exists()
    restored.release()
    forwarding.send_new(desk.pk)
    assert [job.args["event_id"] for job in Job.objects.filter(type=forwarding.SEND, state__in=UNFINISHED)] == [
        unsent.pk
    ]
