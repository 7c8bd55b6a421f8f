"""Lists that stay cheap: events, and what every long list counts; and what workers say of themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from queue_app import api, clock, mass, pauses
from queue_app.admin import lists
from queue_app.models import Attempt, Block, Event, Job, Worker
from queue_app.new_jobs import NewJob
from queue_app.outcomes import Fail, Failure
from tests.queue_app.admin.pages import address, client_of, text_of
from tests.queue_app.jobs import Register, Run

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def boss() -> Client:
    return client_of("boss", is_superuser=True)


def found(client: Client, kind: type[Any] = Event, **query: str) -> list[Any]:
    return list(client.get(address(kind), query).context["cl"].result_list)


def failing(_context: Any) -> Fail:
    return Fail(Failure("Refusal", "no"))


def test_events_come_newest_first_with_their_job_and_reason(boss: Client, register: Register, run: Run) -> None:
    job = api.enqueue(register(failing), actor="grace")
    api.cancel(job.pk, actor="ada")
    events = found(boss)
    assert [event.name for event in events] == ["job_cancelled", "job_added"]
    answer = boss.get(address(Event))
    assert address(job) in answer.content.decode()
    text = text_of(answer)
    assert text.index("ada") < text.index("grace")
    assert "pending → cancelled" in text
    assert "by hand" in text


def test_events_are_filtered_and_searched(boss: Client, register: Register, run: Run) -> None:
    job = api.enqueue(register(failing), actor="grace")
    other = api.enqueue("tests.job")
    api.cancel(other.pk, actor="ada")
    run()
    of_job = [event.target for event in found(boss, q=str(job.pk))]
    assert of_job == ["failed", "running", "pending"]
    assert {event.job_id for event in found(boss, q=f"#{other.pk}")} == {other.pk}
    assert [event.actor for event in found(boss, q="grace")] == ["grace"]
    assert [event.actor for event in found(boss, q="by_hand")] == ["ada"]
    assert [event.actor for event in found(boss, q="By hand")] == ["ada"]
    assert [event.job_id for event in found(boss, target="failed")] == [job.pk]
    assert [event.job_id for event in found(boss, name__exact="job_cancelled")] == [other.pk]
    tomorrow = (clock.now() + timedelta(days=1)).isoformat()
    assert found(boss, at__gte=tomorrow) == []
    assert "Nothing matches" in text_of(boss.get(address(Event), {"q": "nobody"}))


def test_an_event_has_a_page(boss: Client, register: Register) -> None:
    job = api.enqueue(register(failing), keys=["account:7"])
    api.reprioritise(job.pk, 1, actor="ada")
    text = text_of(boss.get(address(Event.objects.order_by("pk").last())))  # type: ignore[arg-type]  # there is one
    for words in ("Changed", "moved to another time", "ada", f"tests.job #{job.pk}", "run_at"):
        assert words in text, words


def test_without_events_the_list_says_what_to_do(boss: Client) -> None:
    assert "Nothing has happened yet." in text_of(boss.get(address(Event)))


@pytest.mark.parametrize("kind", [Job, Event, Attempt])
def test_a_long_list_is_not_counted_to_its_end(
    boss: Client, register: Register, run: Run, kind: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    api.enqueue_many(register(failing), [NewJob() for _ in range(6)])
    run()
    monkeypatch.setattr(lists, "MOST_COUNTED", 5)
    with CaptureQueriesContext(connection) as queries:
        answer = boss.get(address(kind))
    # The site's banner and the orders under way count for themselves.
    others = (f"= '{mass.BULK_OPERATION}'", "posts_")
    of_list = [query["sql"] for query in queries if not any(word in query["sql"] for word in others)]
    counting = [sql for sql in of_list if "COUNT(" in sql.upper() and kind._meta.db_table in sql]
    assert counting
    assert [sql for sql in counting if "LIMIT 5" not in sql] == []
    text = text_of(answer)
    assert f"5 or more {kind._meta.verbose_name_plural}" in text
    assert "5 results" not in text
    assert not any("SELECT DISTINCT" in sql and "LIMIT" not in sql for sql in of_list)


def test_all_that_match_can_be_selected_in_a_long_list(
    boss: Client, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.enqueue_many(register(failing), [NewJob() for _ in range(6)])
    monkeypatch.setattr(lists, "MOST_COUNTED", 5)
    assert "Select all that match: 5 or more" in text_of(boss.get(address(Job)))


def test_a_short_list_says_its_number(boss: Client, register: Register) -> None:
    api.enqueue(register(failing))
    text = text_of(boss.get(address(Job)))
    assert text.endswith(" 1 job")
    assert "or more" not in text


def test_a_pause_links_to_who_waits_under_it(boss: Client, register: Register, run: Run) -> None:
    job = api.enqueue(register(failing), keys=["account:7"])
    pauses.pause("account:7")
    run()
    assert "parked_by=account%3A7" in boss.get(address(Block)).content.decode()
    assert found(boss, Job, parked_by="account:7") == [job]


@pytest.mark.parametrize(
    ("skew_seconds", "words"), [(0.0, "right"), (4.9, "right"), (8.25, "8.2 s ahead"), (-90.0, "1 min 30 s behind")]
)
def test_a_worker_says_its_queues_its_job_and_whether_its_clock_is_wrong(
    boss: Client, register: Register, skew_seconds: float, words: str
) -> None:
    now = clock.now()
    worker = Worker.objects.create(
        name="w1", cluster="c", queues={"facebook": 3, "default": 1}, host="elsewhere", pid=1, start_ticks="1",
        version="1.2", types=["tests.job"], started_at=now, heartbeat_at=now, clock_skew_seconds=skew_seconds,
    )  # fmt: skip
    job = api.enqueue(register(failing))
    Job.objects.filter(pk=job.pk).update(state="running", worker=worker, started_at=now, lease_until=now)
    for answer in (boss.get(address(Worker)), boss.get(address(worker))):
        text = text_of(answer)
        for expected in ("facebook:3 default:1", f"tests.job #{job.pk}", words, "1.2", " ago"):
            assert expected in text, expected
        assert ("sq-warn" in answer.content.decode()) == (words != "right")


def test_the_housekeeping_of_any_app_is_left_out_as_the_counts_do(boss: Client, register: Register) -> None:
    housekeeping = register(lambda context: None, name="tests.tidy_up", internal=True)
    register(lambda context: None)
    api.enqueue(housekeeping)
    job = api.enqueue("tests.job")
    assert found(boss, Job) == [job]
    assert {each.type for each in found(boss, Job, own="yes")} == {"tests.tidy_up", "tests.job"}
    asked = text_of(boss.post(reverse("admin:queue_app_block_add"), {"key": "all", "reason": ""}))
    assert "1 waiting job will not start" in asked
