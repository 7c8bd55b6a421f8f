"""What the banner counts, for whom."""

from __future__ import annotations

from datetime import timedelta

import pytest

from posts.models import Account
from posts.selectors.attention import Attention, needs_attention
from queue_app import clock
from queue_app.models import Job
from tests.posts.making import NO_ANSWER, REJECTED, account, sent, unsettled, user

pytestmark = pytest.mark.django_db


def test_nothing_is_said_where_all_is_well() -> None:
    sent(account())
    found = needs_attention(user(sees_all=True))
    assert found == Attention(0, 0, 0)
    assert not found


def test_every_kind_is_counted() -> None:
    unsettled(account("Ada"), account("Bob"))
    sent(account(), outcome=REJECTED)
    account("Cleo", reconnect_reason="reconnect_needed")
    found = needs_attention(user(sees_all=True))
    assert found == Attention(needs_review=2, failed=1, reconnect=1)
    assert found


def test_what_is_still_being_looked_up_needs_nobody() -> None:
    sent(account(), outcome=NO_ANSWER)
    assert needs_attention(user(sees_all=True)).needs_review == 0


def test_old_failures_and_disabled_accounts_are_left_alone() -> None:
    sent(account(), outcome=REJECTED)
    Job.objects.update(finished_at=clock.now() - timedelta(days=8))
    account("Off", enabled=False, reconnect_reason="reconnect_needed")
    found = needs_attention(user(sees_all=True))
    assert (found.failed, found.reconnect) == (0, 0)


def test_people_are_told_of_what_they_see() -> None:
    ada, bob = user("ada"), user("bob")
    sent(account(), outcome=REJECTED, owner=ada)
    Account.objects.create(platform="outbox", name="Own", identity_id="own", owner=ada, reconnect_reason="x")
    assert (needs_attention(ada).failed, needs_attention(ada).reconnect) == (1, 1)
    assert (needs_attention(bob).failed, needs_attention(bob).reconnect) == (0, 0)
