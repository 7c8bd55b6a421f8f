"""kill -9 of a worker at each step of a publish: never twice, never lost, by the network's own log."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.conftest import Injected
from tests.faults.publishing import broken, connect_outboxes, outcomes, schedule_posts
from tests.site import Site

pytestmark = [pytest.mark.faults, pytest.mark.row(1), pytest.mark.xdist_group("clusters")]

BEFORE_THE_MARK = ["after_claim", "before_prepare", "mid_upload", "after_upload", "before_mark"]
AFTER_THE_MARK = ["after_mark", "mid_body", "after_accept", "after_commit_call", "before_saving"]


# More than are killed, so that no attempt is the last one.
MANY_ATTEMPTS = 20


def kill_once_at(site: Site, *steps: str) -> list[Path]:
    """Have one worker killed at each step; return the files that will say so."""
    killed = [site.directory / f"killed-{step}" for step in steps]
    site.env["SOCIALQ_FAILPOINTS"] = ",".join(f"{step}=kill@{path}" for step, path in zip(steps, killed, strict=True))
    return killed


@pytest.mark.parametrize("steps", [BEFORE_THE_MARK, AFTER_THE_MARK], ids=["before the mark", "after the mark"])
def test_workers_killed_at_every_step_neither_double_nor_lose_a_post(
    site: Site, injected: Injected, steps: list[str]
) -> None:
    accounts = connect_outboxes(site, "Ada")
    killed = kill_once_at(site, *steps)
    schedule_posts(site, accounts, len(steps))
    site.sql("UPDATE queue_app_job SET max_attempts = %s", [MANY_ATTEMPTS])
    site.spawn("qcluster")
    for path in killed:
        site.wait_until(path.exists, 60)
        injected("kill -9 of a worker at a step of a publish")
    found = site.wait_until(lambda: settled(site), 60)
    assert [(outcome.status, outcome.accepted) for outcome in found] == [("published", 1)] * len(steps)
    assert broken(outcomes(site)) == []


def test_where_the_network_cannot_be_asked_a_person_decides(site: Site, injected: Injected) -> None:
    accounts = connect_outboxes(site, "Ada", keeps_keys=False)
    killed = kill_once_at(site, "mid_body", "after_accept")
    schedule_posts(site, accounts, 2)
    site.spawn("qcluster")
    for path in killed:
        site.wait_until(path.exists, 60)
        injected("kill -9 of a worker at a step of a publish")
    found = site.wait_until(lambda: settled(site), 60)
    assert sorted((outcome.status, outcome.accepted, outcome.needs_person) for outcome in found) == [
        ("needs_review", 0, True),
        ("needs_review", 1, True),
    ]


def settled(site: Site) -> list:
    found = outcomes(site)
    return found if found and all(outcome.settled for outcome in found) else []
