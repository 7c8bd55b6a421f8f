"""Jobs over HTTP: lists, one with its executions, and what an operator does with one."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from queue_app import api, clock
from queue_app.context import JobContext
from queue_app.database import connection
from queue_app.models import Job
from queue_app.outcomes import Fail, Failure, Uncertain
from queue_app.retry import RetryPolicy
from tests.posts.admin.pages import person
from tests.posts.rest.calling import Program
from tests.queue_app.jobs import Register, Run

pytestmark = pytest.mark.django_db(transaction=True)

VIEW, OPERATE = "queue_app.view_job", "queue_app.operate_job"
HOUR = timedelta(hours=1)


@pytest.fixture
def boss() -> Program:
    return Program(person("boss", (VIEW, OPERATE)))


@pytest.fixture
def name(register: Register) -> str:
    def handler(context: JobContext, secret: str = "", ok: bool = True) -> Any:
        return "done" if ok else Fail(Failure("Never", "it never works", code="never"))

    return register(handler)


@pytest.fixture
def breaks(register: Register) -> str:
    def handler(context: JobContext) -> None:
        raise LookupError("broken-canary")

    return register(handler, "tests.breaks", retry=RetryPolicy(max_attempts=1))


def at(path: str, **query: Any) -> str:
    return f"{path}?{urlencode(query)}"


def ids(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.json()
    return [item["id"] for item in answer.json()["items"]]


def test_jobs_are_listed_newest_first_by_what_they_are(boss: Program, name: str, register: Register, run: Run) -> None:
    other = register(lambda context: None, "tests.other")
    first = api.enqueue(name, priority=2)
    run()
    second, third = api.enqueue(name, run_at=clock.now() + HOUR), api.enqueue(other, queue="slow", priority="high")
    assert ids(boss.get("jobs")) == [third.pk, second.pk, first.pk]
    assert ids(boss.get(at("jobs", state="completed"))) == [first.pk]
    assert ids(boss.get(at("jobs", state="processing"))) == []
    assert ids(boss.get(at("jobs", type=name))) == [second.pk, first.pk]
    assert ids(boss.get(at("jobs", queue="slow", state="pending"))) == [third.pk]
    assert ids(boss.get(at("jobs", priority=2))) == [third.pk, first.pk]
    page = boss.get(at("jobs", limit=2))
    assert ids(boss.get(at("jobs", limit=2, cursor=page.json()["next"]))) == [first.pk]
    assert boss.get(at("jobs", state="gone")).status_code == boss.get(at("jobs", priority=11)).status_code == 400


def test_a_job_tells_why_it_waits_and_what_became_of_its_executions(boss: Program, name: str, run: Run) -> None:
    waiting = api.enqueue(name, {"secret": "canary"}, run_at=clock.now() + HOUR)
    found = boss.get(f"jobs/{waiting.pk}")
    assert (found.json()["explanation"][:3], found.json()["executions"]) == ("due", [])
    assert "canary" not in found.content.decode()
    failed = api.enqueue(name, {"ok": False})
    run()
    told = boss.get(f"jobs/{failed.pk}").json()
    assert (told["state"], told["attempts"], told["last_error"]) == ("failed", 1, "it never works")
    (execution,) = told["executions"]
    assert (execution["outcome"], execution["error_class"], execution["code"]) == ("failed", "Never", "never")


def test_tracebacks_are_told_to_staff_with_the_scope_admin_alone(boss: Program, breaks: str, run: Run) -> None:
    job = api.enqueue(breaks)
    run()
    staff, guest = person("staff", (VIEW,)), person("guest", (VIEW,))
    guest.is_staff = False
    guest.save()
    for program, sees in ((boss, True), (Program(staff, ["read"]), False), (Program(guest), False)):
        answer = program.get(f"jobs/{job.pk}")
        assert ("broken-canary" in str(answer.json()["executions"][0]["traceback"])) is sees
        lanes = program.get("admin/queue-stats")
        if lanes.status_code == 200:
            assert ("broken-canary" in str(lanes.json()["jobs"]["failed"][0]["traceback"])) is sees


def test_an_operator_does_with_a_job_what_the_admin_does(boss: Program, name: str, run: Run) -> None:
    job = api.enqueue(name)

    def do(what: str, body: Any = None, status: int = 200) -> dict[str, Any]:
        answer = boss.post(f"jobs/{job.pk}/{what}", body)
        assert answer.status_code == status, answer.content
        return answer.json()

    assert (
        do("hold", {"reason": "ask the lawyers"})["explanation"] == "held until a person releases it: ask the lawyers"
    )
    assert do("release")["state"] == "pending"
    later = (clock.now() + HOUR).isoformat()
    moved = do("reschedule", {"run_at": later, "priority": "high"})
    assert (moved["priority"], moved["due_at"][:16]) == (2, later[:16])
    assert do("cancel")["state"] == "cancelled"
    assert do("retry")["state"] == "pending"
    assert set(job.events.exclude(actor="").values_list("actor", flat=True)) == {"boss"}
    run()
    assert "cannot become" in do("cancel", status=409)["detail"]
    assert do("check-again", status=409)


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("hold", {"reason": "  "}),
        ("hold", {}),
        ("hold", {"reason": "x" * 101}),
        ("reschedule", {"run_at": "2030-01-31T09:30:00"}),
        ("reschedule", {"run_at": 5}),
        ("reschedule", {"run_at": "0001-01-01T00:00:00+23:00"}),
        ("reschedule", {"run_at": "2030-01-31T09:30:00Z", "priority": 11}),
        ("reschedule", {"run_at": "2030-01-31T09:30:00Z", "expires_at": "2029-01-01T00:00:00Z"}),
        ("retry", {"even_if_live": "yes"}),
        ("retry", {"force": True}),
    ],
)
@pytest.mark.one_database
def test_what_cannot_be_is_refused_and_changes_nothing(boss: Program, name: str, what: str, body: Any) -> None:
    job = api.enqueue(name)
    answer = boss.post(f"jobs/{job.pk}/{what}", body)
    assert answer.status_code == 422
    assert Job.objects.values().get(pk=job.pk) == Job.objects.values().get(pk=job.pk, fence=job.fence, state="pending")


def test_what_may_be_live_is_retried_only_when_told_so(boss: Program, register: Register, run: Run) -> None:

    def handler(context: JobContext) -> Any:
        context.before_irreversible_step()
        return Uncertain(Failure("NoAnswer", "no answer came"))

    job = api.enqueue(register(handler, "tests.sends"))
    run()
    assert "even_if_live" in boss.post(f"jobs/{job.pk}/retry").json()["detail"]
    assert boss.post(f"jobs/{job.pk}/check-again").status_code == 200
    assert boss.post(f"jobs/{job.pk}/retry", {"even_if_live": True}).json()["state"] == "pending"


def test_nobody_comes_between_the_look_and_the_retry(boss: Program, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    job, look = api.enqueue(name), api.may_have_taken_effect
    api.cancel(job.pk)
    others: list[threading.Thread] = []

    def somebody_else() -> None:
        with suppress(api.IllegalTransition):
            api.retry(job.pk)
        connection().close()

    def looked_at(found: Job) -> bool:
        others.append(threading.Thread(target=somebody_else))
        others[0].start()
        others[0].join(timeout=1)
        return look(found)

    monkeypatch.setattr(api, "may_have_taken_effect", looked_at)
    answer = boss.post(f"jobs/{job.pk}/retry")
    others[0].join()
    assert answer.status_code == 200, answer.json()


def test_dead_letters_are_found_by_words_and_time(boss: Program, name: str, breaks: str, run: Run) -> None:
    first, second = api.enqueue(name, {"ok": False}, target_id="post 7"), api.enqueue(breaks)
    run()
    assert set(ids(boss.get("dead-letters"))) == {first.pk, second.pk}
    assert ids(boss.get(at("dead-letters", search="post 7"))) == [first.pk]
    assert ids(boss.get(at("dead-letters", type=breaks))) == [second.pk]
    assert ids(boss.get(at("dead-letters", until="2020-01-01T00:00:00Z"))) == []
    page = boss.get(at("dead-letters", limit=1)).json()
    assert len(ids(boss.get(at("dead-letters", limit=1, cursor=page["next"])))) == 1
    assert boss.get(at("dead-letters", since="2020-01-01T00:00:00")).status_code == 400


def test_the_queue_is_counted_and_told_in_five_lanes(boss: Program, name: str, run: Run) -> None:
    assert boss.get("admin/queue-stats").json()["jobs"] == {
        lane: [] for lane in ("waiting", "active", "completed", "failed", "delayed")
    }
    done, failed = api.enqueue(name), api.enqueue(name, {"ok": False})
    run()
    delayed = [api.enqueue(name, run_at=clock.now() + n * HOUR, priority=p) for n, p in ((2, 1), (1, 9))]
    api.pause("all")
    low, held, high = api.enqueue(name, priority=8), api.enqueue(name, priority=3), api.enqueue(name, priority=1)
    api.hold(held.pk, "later")
    gone = api.enqueue(name)
    api.cancel(gone.pk)
    told = boss.get("admin/queue-stats").json()
    assert told["stats"] == {"waiting": 3, "active": 0, "completed": 1, "failed": 1, "delayed": 2, "total": 7}
    listed = {lane: [job["id"] for job in rows] for lane, rows in told["jobs"].items()}
    assert listed == {
        "waiting": [high.pk, held.pk, low.pk],
        "active": [],
        "completed": [done.pk],
        "failed": [failed.pk],
        "delayed": [delayed[1].pk, delayed[0].pk],
    }
    (told_failed,) = told["jobs"]["failed"]
    assert {"reason", "attempts", "traceback"} <= told_failed.keys()
    assert told["timestamp"]
    assert [len(rows) for rows in boss.get(at("admin/queue-stats", limit=1)).json()["jobs"].values()] == [1, 0, 1, 1, 1]
    status = boss.get("queue/status").json()
    assert (status["pending"], status["held"], status["cancelled"], status["total"]) == (4, 1, 1, 8)


def test_scopes_and_permissions_bound_what_is_done(name: str) -> None:
    job = api.enqueue(name)
    viewer, outsider = person("viewer", (VIEW,)), person("outsider")
    assert Program(viewer).get("jobs").status_code == 200
    assert Program(outsider).get("jobs").status_code == 403
    assert Program(viewer, ["read"]).get("admin/queue-stats").status_code == 403
    assert Program(viewer).post(f"jobs/{job.pk}/cancel").status_code == 403
    assert Program(person("boss", (VIEW, OPERATE)), ["publish"]).post(f"jobs/{job.pk}/cancel").status_code == 403
    assert api.get_status(job.pk) == "pending"
    assert Program(viewer).get("jobs/999999999").status_code == 404
