"""The queue's pages by themselves: jobs of any type, without posts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from queue_app import api, blocks, clock, events, transitions
from queue_app.database import atomic
from queue_app.models import Attempt, Block, BlockKind, Job, Notice, Worker
from queue_app.outcomes import Fail, Failure
from tests.queue_app.jobs import Register, Run

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def boss() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    return client


def url(kind: str, view: str = "changelist", *args: Any) -> str:
    return reverse(f"admin:queue_app_{kind}_{view}", args=args)


def act(client: Client, kind: str, action: str, *rows: Any, sure: bool = True) -> Any:
    data = {"action": action, "index": "0", "_selected_action": [row.pk for row in rows]}
    return client.post(url(kind), data | ({"confirmed": "9", "warned": ""} if sure else {}))


def refused(_context: Any) -> Fail:
    return Fail(
        Failure("Refusal", "the other side said no", code="no", traceback="Traceback: line 7", response_code=422)
    )


def failed_job(register: Register, run: Run) -> Job:
    job = api.enqueue(register(refused), actor="grace")
    run()
    return api.get(job.pk)


def test_a_job_says_where_it_stands_and_what_happened(boss: Client, register: Register, run: Run) -> None:
    job = failed_job(register, run)
    text = boss.get(url("job", "change", job.pk)).content.decode()
    for words in ("Failed", "the other side said no", "422", "Traceback: line 7", "by grace", "1 of", "Retry…"):
        assert words in text, words
    assert "Cancel…" not in text


def test_a_waiting_job_says_why_and_until_when(boss: Client, register: Register) -> None:
    job = api.enqueue(register(refused), keys=["account:7"])
    with atomic():
        until = clock.now() + timedelta(hours=1)
        blocks.place("account:7", BlockKind.RATE_LIMIT, now=clock.now(), reason="20 a day", until=until)
    text = boss.get(url("job", "change", job.pk)).content.decode()
    assert "20 a day" in text
    assert f"{until:%Y-%m-%d %H:%M}" in text


def test_retries_and_cancels_with_a_question_and_history(boss: Client, register: Register, run: Run) -> None:
    done = failed_job(register, run)
    waiting = api.enqueue("tests.job")
    assert "Retry: 1 job" in act(boss, "job", "retry", done, waiting, sure=False).content.decode()
    act(boss, "job", "retry", done, waiting)
    assert api.get(done.pk).state == "pending"
    act(boss, "job", "cancel", waiting)
    assert api.get(waiting.pk).state == "cancelled"
    assert [entry.change_message for entry in LogEntry.objects.order_by("pk")] == ["Put back to run now.", "Cancelled."]
    assert done.events.filter(actor="boss").exists()


def test_a_marked_job_cannot_be_cancelled(boss: Client, register: Register) -> None:
    job = api.enqueue(register(refused))
    with atomic():
        transitions.start(job, None, now=clock.now(), lease_seconds=60, holder="tests")
        transitions.mark(job, now=clock.now())
    assert "already being sent" in act(boss, "job", "cancel", job).content.decode()
    assert api.get(job.pk).state == "running"


def test_retrying_an_uncertain_job_warns(boss: Client, register: Register) -> None:
    job = api.enqueue(register(refused))
    with atomic():
        transitions.start(job, None, now=clock.now(), lease_seconds=60, holder="tests")
        transitions.mark(job, now=clock.now())
        transitions.change(job, api.JobState.UNCERTAIN, now=clock.now(), reason="no_answer")
    assert "could publish twice" in act(boss, "job", "retry", job, sure=False).content.decode()
    assert "cannot be looked up" in act(boss, "job", "check_again", job, sure=False).content.decode()


def test_the_error_log_shows_errors_and_filters(boss: Client, register: Register, run: Run) -> None:
    failed_job(register, run)
    api.enqueue(register(lambda _context: "fine", "tests.fine"))
    run()
    text = boss.get(url("attempt")).content.decode()
    assert "Error log" in text
    assert "the other side said no" in text
    assert "tests.fine #" not in text
    assert "tests.fine #" in boss.get(f"{url('attempt')}?outcome=all").content.decode()
    assert "the other side" not in boss.get(f"{url('attempt')}?outcome=lost").content.decode()
    assert "the other side" in boss.get(f"{url('attempt')}?error_class=Refusal&job__type=tests.job").content.decode()
    attempt = Attempt.objects.get(error_class="Refusal")
    page = boss.get(url("attempt", "change", attempt.pk)).content.decode()
    assert "Traceback: line 7" in page
    assert "422" in page


def test_workers_are_alive_stopped_or_lost(boss: Client) -> None:
    now = clock.now()
    common = {
        "cluster": "c",
        "queues": {"default": 1},
        "host": "elsewhere",
        "pid": 1,
        "start_ticks": "1",
        "version": "1",
    }
    Worker.objects.create(name="busy", started_at=now, heartbeat_at=now, types=["a"], **common)
    Worker.objects.create(name="ended", started_at=now, heartbeat_at=now, stopped_at=now, **common)
    Worker.objects.create(name="silent", started_at=now, heartbeat_at=now - timedelta(hours=1), **common)
    text = boss.get(url("worker")).content.decode()
    assert [text.count(f"<span>{state}</span>") for state in ("Alive", "Stopped", "Lost")] == [1, 1, 1]
    assert "silent" not in boss.get(f"{url('worker')}?when=alive").content.decode()
    assert "elsewhere" in boss.get(url("worker", "change", Worker.objects.get(name="busy").pk)).content.decode()


def test_a_pause_is_placed_and_lifted_after_a_question(boss: Client, register: Register, run: Run) -> None:
    job = api.enqueue(register(refused))
    form = {"key": "type:tests.job", "reason": "moving house", "until": ""}
    asked = boss.post(url("block", "add"), form).content.decode()
    assert "Pause type:tests.job?" in asked
    assert "1 waiting job " in asked
    assert not Block.objects.exists()
    boss.post(url("block", "add"), {**form, "confirmed": "yes"})
    block = Block.objects.get()
    assert (block.actor, block.reason) == ("boss", "moving house")
    run()
    assert api.get(job.pk).state == "pending"
    assert "moving house" in boss.get(url("job", "change", job.pk)).content.decode()
    act(boss, "block", "lift", block)
    assert not Block.objects.exists()
    run()
    assert api.get(job.pk).state == "failed"
    assert [entry.change_message for entry in LogEntry.objects.order_by("pk")] == [
        "Paused type:tests.job.",
        "Lifted; what waited runs again: type:tests.job, 1 jobs waited",
    ]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"key": "everything"}, "A key is “all”"),
        ({"key": ""}, "This field is required."),
        ({"key": "all", "until": "2020-01-01T00:00"}, "This time is over"),
    ],
)
def test_a_pause_that_makes_no_sense_is_refused(boss: Client, form: dict[str, str], words: str) -> None:
    assert words in boss.post(url("block", "add"), {**form, "confirmed": "yes"}).content.decode()
    assert not Block.objects.exists()


def test_blocks_of_accounts_are_ended_elsewhere(boss: Client) -> None:
    with atomic():
        block = blocks.place("account:7", BlockKind.RECONNECT, now=clock.now())
    assert "it ends when the account is reconnected" in act(boss, "block", "lift", block).content.decode()
    assert Block.objects.exists()


def test_notices_are_listed_with_their_job(boss: Client, register: Register, run: Run) -> None:
    job = failed_job(register, run)
    text = boss.get(url("notice")).content.decode()
    assert f'href="{url("job", "change", job.pk)}"' in text
    assert "the other side said no" in boss.get(url("notice", "change", Notice.objects.get().pk)).content.decode()
    assert "Nothing matches" in boss.get(f"{url('notice')}?state=open").content.decode()


def test_what_is_gone_is_said(boss: Client) -> None:
    answer = boss.get(url("job", "change", 4711), follow=True)
    assert "There is no job 4711 any more." in answer.content.decode()


def test_what_other_apps_recorded_is_listed_without_a_job(boss: Client, register: Register) -> None:
    api.enqueue(register(lambda context: None))
    sold = events.record("shop.sold", {"sku": 7}, actor="grace")
    assert "shop.sold" in boss.get(url("event")).content.decode()
    listed = boss.get(url("event"), {"name": "recorded"}).content.decode()
    assert "shop.sold" in listed
    assert "tests.job" not in listed
    text = boss.get(url("event", "change", sold.pk)).content.decode()
    assert all(words in text for words in ("shop.sold", "sku", "grace"))
