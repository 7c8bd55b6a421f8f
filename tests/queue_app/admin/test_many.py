"""Actions on all that match: counted by state, done in batches, and handed to the queue where there are too many."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from queue_app import api, clock, gates, mass, pauses, transitions
from queue_app.admin import many
from queue_app.api import JobState
from queue_app.database import atomic
from queue_app.models import Job
from queue_app.new_jobs import NewJob
from queue_app.outcomes import Fail, Failure
from tests.queue_app.admin.pages import act, address, ask, client_of, said, text_of
from tests.queue_app.jobs import Later, Register, Run, reloaded

pytestmark = pytest.mark.django_db(transaction=True)

ALL = "?state__exact="


@pytest.fixture
def boss(monkeypatch: pytest.MonkeyPatch) -> Client:
    """A superuser, for whom three are many, six take too long, and a part has four."""
    monkeypatch.setattr(many, "FEW", 2)
    monkeypatch.setattr(many, "MOST_AT_ONCE", 5)
    monkeypatch.setattr(mass, "PART_JOBS", 4)
    return client_of("boss", is_superuser=True)


def refuse(_context: object) -> Fail:
    return Fail(Failure("Refusal", "no"))


def waiting(register: Register, number: int, name: str = "tests.many", run_at: datetime | None = None) -> list[Job]:
    ids = api.enqueue_many(register(refuse, name), [NewJob(run_at=run_at) for _ in range(number)])
    return list(Job.objects.filter(pk__in=ids).order_by("pk"))


def states() -> dict[str, int]:
    found: dict[str, int] = {}
    for state in Job.objects.exclude(type__startswith="queue_app.").values_list("state", flat=True):
        found[state] = found.get(state, 0) + 1
    return found


def parts() -> list[Job]:
    return list(Job.objects.filter(type=mass.BULK_OPERATION).order_by("pk"))


def made_uncertain(job: Job) -> None:
    with atomic():
        transitions.start(job, None, now=clock.now(), lease_seconds=60, holder="tests")
        transitions.mark(job, now=clock.now())
        transitions.change(job, JobState.UNCERTAIN, now=clock.now(), reason="no_answer")


def test_the_question_counts_and_says_what_is_skipped(boss: Client, register: Register) -> None:
    jobs = waiting(register, 5)
    api.cancel(jobs[0].pk)
    made_uncertain(jobs[1])
    text = text_of(ask(boss, "cancel", jobs[0], everything=True))
    assert "Cancel: 3 jobs" in text
    assert "Skipped: 2" in text
    assert "1 jobs – cancelled: there is nothing to do" in text
    assert "1 jobs – uncertain: they may already be live" in text
    assert states() == {"pending": 3, "cancelled": 1, "uncertain": 1}
    assert "3 jobs cancelled." in said(act(boss, "cancel", jobs[0], everything=True))
    assert states() == {"cancelled": 4, "uncertain": 1}


def test_what_a_page_can_wait_for_is_done_at_once_with_one_line_in_the_history(
    boss: Client, register: Register
) -> None:
    jobs = waiting(register, 4)
    assert "4 jobs cancelled." in said(act(boss, "cancel", jobs[0], everything=True))
    assert states() == {"cancelled": 4}
    assert parts() == []
    line = LogEntry.objects.get()
    assert (line.object_repr, line.change_message) == ("4 jobs", "Cancelled.")
    assert all(job.events.filter(actor="boss", target="cancelled").exists() for job in jobs)


def test_only_what_matches_is_touched(boss: Client, register: Register) -> None:
    waiting(register, 3)
    others = waiting(register, 3, "tests.others")
    act(boss, "cancel", others[0], query="?type=tests.others", everything=True)
    assert set(Job.objects.filter(state="cancelled")) == set(others)


def test_each_operation_on_many(boss: Client, register: Register, run: Run) -> None:
    jobs = waiting(register, 3)
    act(boss, "reprioritise", jobs[0], everything=True, priority="9")
    assert {reloaded(job).priority for job in jobs} == {9}
    act(boss, "hold", jobs[0], everything=True, reason="wait for Ada")
    assert {(job.state, job.reason) for job in map(reloaded, jobs)} == {("held", "wait for Ada")}
    act(boss, "release", jobs[0], everything=True)
    assert states() == {"pending": 3}
    run()
    assert states() == {"failed": 3}
    act(boss, "retry", jobs[0], query="?state__exact=failed", everything=True)
    assert states() == {"pending": 3}
    run()
    act(boss, "discard", jobs[0], everything=True, reason="of no use")
    assert states() == {"cancelled": 3}
    assert all(job.events.filter(data__why="of no use").exists() for job in jobs)


def test_a_form_that_is_not_filled_in_is_asked_again(boss: Client, register: Register) -> None:
    jobs = waiting(register, 3)
    assert "This field is required." in text_of(act(boss, "hold", jobs[0], everything=True, reason=" "))
    assert "Select a valid choice." in text_of(act(boss, "reprioritise", jobs[0], everything=True, priority="11"))
    assert states() == {"pending": 3}


def test_too_many_are_handed_to_the_queue_in_parts(boss: Client, register: Register, run: Run, later: Later) -> None:
    jobs = waiting(register, 6, run_at=clock.now() + timedelta(hours=1))
    asked = text_of(ask(boss, "cancel", jobs[0], everything=True))
    assert "The queue does it itself: 2 parts, about one a second." in asked
    answer = act(boss, "cancel", jobs[0], everything=True)
    assert "Cancel: 6 jobs, in 2 parts" in said(answer)
    assert [len(part.args["job_ids"]) for part in parts()] == [4, 2]
    assert states() == {"pending": 6}
    assert "Cancel of 6 jobs by boss: 0 of 2 parts done" in text_of(answer)
    run()
    assert states() == {"cancelled": 4, "pending": 2}
    assert "Cancel of 6 jobs by boss: 1 of 2 parts done" in text_of(boss.get(address(Job)))
    later(2)
    gates.open_due()
    run()
    assert [part.state for part in parts()] == ["completed", "completed"]
    assert parts()[0].result == {"done": 4, "skipped": 0, "why": []}
    assert "parts done" not in text_of(boss.get(address(Job)))
    page = text_of(boss.get(address(parts()[0])))
    assert "cancel of 4 jobs by boss, part 1 of 2" in page


def test_parts_run_before_what_they_are_about(boss: Client, register: Register, run: Run) -> None:
    jobs = waiting(register, 6)
    act(boss, "hold", jobs[0], everything=True, reason="stop")
    run()
    assert [reloaded(job).state for job in jobs[:4]] == ["held"] * 4


def test_the_question_says_what_keeps_the_queue_from_doing_it(boss: Client, register: Register, run: Run) -> None:
    jobs = waiting(register, 6)
    assert "No worker runs now" in text_of(ask(boss, "cancel", jobs[0], everything=True))
    pauses.pause("all")
    run()
    text = text_of(ask(boss, "cancel", jobs[0], everything=True))
    assert "No worker runs now" not in text
    assert "all is blocked (paused): it waits until that is over." in text


def test_what_changed_while_a_person_read_the_question_is_asked_again(boss: Client, register: Register) -> None:
    jobs = waiting(register, 3)
    asked = {"confirmed": "3", "warned": ""}
    waiting(register, 1, "tests.more")
    text = text_of(ask(boss, "cancel", jobs[0], everything=True, **asked))
    assert "Cancel: 4 jobs" in text
    assert "Nothing was done: what it would do has changed since you were asked." in text
    assert states() == {"pending": 4}


def test_a_part_that_runs_again_retries_nothing_twice(register: Register, run: Run) -> None:
    (job,) = waiting(register, 1)
    run()
    order = mass.Order("retry", "boss", clock.now())
    assert mass.carry_out(order, [job.pk]).done == 1
    run()
    again = mass.carry_out(order, [job.pk])
    assert again.skipped == {job.pk: f"job {job.pk} has changed since this was asked for"}
    assert reloaded(job).state == "failed"


def test_what_may_be_live_is_never_retried_among_many(register: Register) -> None:
    one, other = waiting(register, 2)
    for job in (one, other):
        made_uncertain(job)
    api.cancel(other.pk)
    answer = mass.carry_out(mass.Order("retry", "boss", clock.now()), [one.pk, other.pk, 4711])
    assert answer.done == 0
    assert answer.skipped[one.pk] == f"job {one.pk} is uncertain"
    assert "may already have taken effect" in answer.skipped[other.pk]
    assert "there is no job 4711" in answer.skipped[4711]


def test_a_failed_part_stays_in_sight(boss: Client, register: Register, run: Run) -> None:
    jobs = waiting(register, 6)
    act(boss, "cancel", jobs[0], everything=True)
    Job.objects.filter(pk=parts()[0].pk).update(state="failed")
    assert "0 of 2 parts done, 1 failed" in text_of(boss.get(address(Job)))


def test_an_action_on_single_jobs_refuses_a_crowd(boss: Client, register: Register) -> None:
    jobs = waiting(register, 3)
    answer = boss.post(
        address(Job),
        {"action": "check_again", "index": "0", "select_across": "1", "_selected_action": jobs[0].pk},
        follow=True,
    )
    assert "Check again takes at most 2 jobs at a time" in said(answer)


def test_who_may_only_look_starts_nothing(boss: Client, register: Register) -> None:
    jobs = waiting(register, 3)
    viewer = client_of("viewer", "view_job")
    assert ask(viewer, "cancel", jobs[0], everything=True, confirmed="3", warned="").status_code == 403
    assert states() == {"pending": 3}


def test_the_queries_do_not_grow_with_what_matches(boss: Client, register: Register) -> None:
    counts = []
    for number in (8, 40):
        jobs = waiting(register, number, f"tests.of_{number}")
        with CaptureQueriesContext(connection) as queries:
            ask(boss, "cancel", jobs[0], query=f"?type=tests.of_{number}", everything=True)
        counts.append(len(queries))
    assert counts[1] == counts[0]
