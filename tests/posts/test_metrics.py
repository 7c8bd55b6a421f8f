from __future__ import annotations

import pytest

from posts.metrics import metrics_of_posts
from posts.models import Account
from queue_app import metrics, totals
from tests.posts.making import account, draft, sent

pytestmark = pytest.mark.django_db(transaction=True)


def values() -> dict[tuple[str, ...], object]:
    return {(metric.name, *labels): value for metric in metrics_of_posts() for labels, value in metric.samples}


def test_posts_by_status_accounts_that_wait_for_a_login_and_what_went_out() -> None:
    totals.catch_up()
    ada, ben = account("Ada"), account("Ben", "bluesky")
    Account.objects.filter(pk=ben.pk).update(reconnect_reason="token_expired")
    draft(ada)
    sent(ada)
    totals.catch_up()
    found = values()
    assert (found["posts", "draft"], found["posts", "published"], found["posts", "failed"]) == (1, 1, 0)
    assert (found["accounts", "outbox"], found["accounts_to_reconnect", "outbox"]) == (1, 0)
    assert found["accounts_to_reconnect", "bluesky"] == 1
    assert found["deliveries_ended", "outbox", "completed"] == 1


def test_they_are_among_those_of_the_queue() -> None:
    assert {"posts", "accounts_to_reconnect", "jobs"} <= {metric.name for metric in metrics.collect()}
