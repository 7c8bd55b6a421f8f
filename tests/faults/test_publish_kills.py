"""kill -9 of a worker at each step of a publish: never twice, never lost, by the network's own log."""

from __future__ import annotations

import pytest

from tests.faults.conftest import Injected
from tests.faults.publishing import broken, connect_outboxes, outcomes, schedule_posts
from tests.site import Site

pytestmark = [pytest.mark.faults, pytest.mark.row(1), pytest.mark.xdist_group("clusters")]

BEFORE_THE_MARK = ["after_claim", "before_prepare", "mid_upload", "after_upload", "before_mark"]
AFTER_THE_MARK = ["after_mark", "mid_body", "after_accept", "after_commit_call", "before_saving"]


def kill_once_at(site: Site, step: str) -> None:
    site.env["SOCIALQ_FAILPOINTS"] = f"{step}=kill@{site.directory / 'killed'}"


@pytest.mark.parametrize("step", BEFORE_THE_MARK + AFTER_THE_MARK)
def test_a_worker_killed_at_any_step_neither_doubles_nor_loses_a_post(
    site: Site, injected: Injected, step: str
) -> None:
    accounts = connect_outboxes(site, "Ada")
    kill_once_at(site, step)
    schedule_posts(site, accounts, 1)
    site.spawn("qcluster")
    site.wait_until((site.directory / "killed").exists, 30)
    injected("kill -9 of a worker at a step of a publish")
    (outcome,) = site.wait_until(lambda: settled(site), 60)
    assert (outcome.status, outcome.accepted) == ("published", 1)
    assert broken(outcomes(site)) == []


@pytest.mark.parametrize(("step", "accepted"), [("mid_body", 0), ("after_accept", 1)])
def test_where_the_network_cannot_be_asked_a_person_decides(
    site: Site, injected: Injected, step: str, accepted: int
) -> None:
    accounts = connect_outboxes(site, "Ada", keeps_keys=False)
    kill_once_at(site, step)
    schedule_posts(site, accounts, 1)
    site.spawn("qcluster")
    site.wait_until((site.directory / "killed").exists, 30)
    injected("kill -9 of a worker at a step of a publish")
    (outcome,) = site.wait_until(lambda: settled(site), 60)
    assert (outcome.status, outcome.accepted, outcome.needs_person) == ("needs_review", accepted, True)


def settled(site: Site) -> list:
    found = outcomes(site)
    return found if found and all(outcome.settled for outcome in found) else []
