"""The metrics: what each says of the queue, in a form that Prometheus reads and its naming rules allow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from queue_app import api, clock, exposition, metrics, totals, workers
from queue_app.metrics import Metric, metric_source
from queue_app.models import BlockKind, Worker
from queue_app.outcomes import Fail, Failure
from queue_app.retry import RetryPolicy
from tests.queue_app.jobs import Later, Register, Run

pytestmark = pytest.mark.django_db(transaction=True)

Labels = tuple[tuple[str, str], ...]
HOSTILE = 'a"b\\c\nsocialq_forged 7\n'


@pytest.fixture
def name(register: Register) -> str:
    return register(lambda context: None)


def read() -> dict[tuple[str, Labels], float]:
    """Return every sample as Prometheus reads it."""
    text = exposition.render(metrics.collect()).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(sample: str, **labels: str) -> float:
    return read()[f"socialq_{sample}", tuple(sorted(labels.items()))]


def test_waiting_jobs_by_queue_and_for_how_long(name: str, later: Later) -> None:
    api.enqueue(name, queue="slow")
    api.enqueue(name, queue="slow", run_at=clock.now() + timedelta(hours=1))
    later(40)
    assert value("queue_jobs", queue="slow", state="pending") == 2
    assert value("queue_jobs", queue="slow", state="due") == 1
    assert value("jobs_due") == 1
    assert 40 <= value("queue_oldest_due_seconds", queue="slow") < 50
    assert value("oldest_due_seconds") == pytest.approx(value("queue_oldest_due_seconds", queue="slow"), abs=1)
    assert value("jobs", state="pending", type=name) == 2


def test_workers_that_live_are_busy_or_fell_silent(name: str) -> None:
    rows = [workers.register("one", {"default": 1}) for _ in range(3)]
    Worker.objects.update(started_at=clock.now() - timedelta(minutes=10))
    Worker.objects.filter(pk=rows[0].pk).update(heartbeat_at=clock.now() - timedelta(minutes=5))
    assert [value("workers", state=state) for state in ("alive", "busy", "missing")] == [2, 0, 1]
    assert value("queue_workers", queue="default", state="alive") == 2
    assert value("queue_jobs", queue="default", state="due") == 0


def test_what_ended_and_why(register: Register, run: Run) -> None:
    totals.catch_up()
    name = register(
        lambda context: Fail(Failure("ConnectionError", "gone")),
        retry=RetryPolicy.fixed(max_attempts=1, delay_seconds=0),
    )
    api.enqueue(name)
    run()
    totals.catch_up()
    assert value("jobs_ended_total", queue="default", type=name, outcome="failed") == 1
    ended = {"queue": "default", "type": name, "outcome": "failed", "error": "ConnectionError"}
    assert value("attempts_ended_total", **ended) == 1
    assert value("start_lateness_seconds_count", queue="default", type=name) == 1
    assert value("attempt_duration_seconds_bucket", queue="default", type=name, le="+Inf") == 1
    assert value("success_ratio") == 0
    assert value("last_hour_jobs", outcome="failed") == 1


def test_blocks_and_what_limits_still_allow(name: str, run: Run, settings: Settings) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "LIMITS": {"account:*": "5/h"}}
    api.enqueue(name, keys=["account:7"])
    run()
    api.pause("account:8")
    assert value("limit_remaining", limit="account:7") == 4
    assert value("blocks", kind=BlockKind.PAUSE.value) == 1


def test_only_so_many_limits_are_told(name: str, run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MOST_LIMITS", 2)
    settings.SOCIALQ = {**settings.SOCIALQ, "LIMITS": {"account:*": "5/h"}}
    for number in range(4):
        api.enqueue(name, keys=[f"account:{number}"])
    run()
    assert sum(sample == "socialq_limit_remaining" for sample, _labels in read()) == 2


def test_a_label_forges_nothing(settings: Settings, name: str, run: Run) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "LIMITS": {"account:*": "5/h"}}
    key = "account:" + HOSTILE.split("\n", maxsplit=1)[0]
    api.enqueue(name, keys=[key])
    run()
    assert value("limit_remaining", limit=key) == 4
    metric = Metric("hostile", "Something.", labels=("text",))
    metric.add(1, HOSTILE)
    text = exposition.render([metric]).decode()
    assert "\nsocialq_forged" not in text
    (family,) = text_string_to_metric_families(text)
    assert family.samples[0].labels == {"text": HOSTILE}


def test_names_labels_and_kinds_are_as_prometheus_wants_them(register: Register, run: Run) -> None:
    totals.catch_up()
    api.enqueue(register(lambda context: None))
    run()
    totals.catch_up()
    for metric in metrics.collect():
        assert re.fullmatch(r"[a-z][a-z0-9_]*[a-z0-9]", metric.name)
        assert not metric.name.endswith(("_total", "_count", "_sum", "_bucket")), "the kind adds it"
        assert not re.search(r"_(ms|millis|minutes|hours|percent)\b", metric.name), "base units"
        assert metric.kind != "histogram" or metric.name.endswith("_seconds")
        assert metric.help.endswith(".")
        assert all(
            re.fullmatch(r"[a-z_]+", label) and label not in ("le", "job", "instance") for label in metric.labels
        )
        assert all(len(labels) == len(metric.labels) for labels, _value in metric.samples)
        series = [labels for labels, _value in metric.samples]
        assert len(series) == len(set(series))


def test_another_app_adds_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_sources", [])

    @metric_source
    def mine() -> Iterator[Metric]:
        metric = Metric("mine", "Mine.")
        metric.add(7)
        yield metric

    assert value("mine") == 7


def test_where_the_database_is_away_that_alone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> list[Metric]:
        raise OperationalError("gone")

    monkeypatch.setattr(metrics, "_sources", [away])
    found = read()
    assert found["socialq_database_up", ()] == 0
    assert {sample for sample, _labels in found} == {
        "socialq_database_up",
        "socialq_scrape_seconds",
        "socialq_build_info",
    }


def test_several_that_ask_at_once_make_the_database_work_once() -> None:
    answers = iter([b"one", b"two"])
    kept = exposition.Kept(lambda: next(answers), seconds=60)
    assert [kept(), kept()] == [b"one", b"one"]
    hasty = exposition.Kept(lambda: next(answers), seconds=-1)
    assert hasty() == b"two"


def test_the_page_is_what_prometheus_asks_for(client: Client) -> None:
    response = client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert b"socialq_database_up 1.0" in response.content
