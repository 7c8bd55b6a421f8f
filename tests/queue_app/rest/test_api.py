"""The API's frame, in a site that has the queue alone: every answer is JSON that says what to do."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client
from django.urls import path

from queue_app import api, keys, listeners
from queue_app.rest import jobs
from queue_app.rest.api import queue_api
from tests.queue_app.jobs import Register

urlpatterns = [path("queue/", queue_api().urls)]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__), pytest.mark.one_database]


@pytest.fixture
def secret() -> str:
    return keys.create_key(User.objects.create_superuser("root"), name="Script", scopes=["read"])[1]


def ask(url: str, secret: str, method: str = "GET") -> Any:
    headers = {"Authorization": f"Bearer {secret}"}
    return Client(raise_request_exception=False).generic(method, url, headers=headers)


def test_a_host_with_the_queue_alone_reads_its_jobs(secret: str, register: Register) -> None:
    job = api.enqueue(register(lambda context: None))
    told = ask(f"/queue/jobs/{job.pk}", secret)
    assert (told.status_code, told.json()["state"]) == (200, "pending")
    schema = Client().get("/queue/openapi.json").json()
    assert set(schema["paths"]) >= {"/queue/jobs/{job_id}"}
    assert set(schema["components"]["securitySchemes"]) == {"bearer", "session"}


def test_a_host_with_the_queue_alone_follows_its_jobs(secret: str, register: Register) -> None:
    job = api.enqueue(register(lambda context: None))
    told = ask(f"/queue/events?format=json&job_id={job.pk}", secret).json()
    assert [(event["event"], event["job_id"]) for event in told["events"]] == [("job_added", job.pk)]
    assert ask("/queue/events?post_id=1", secret).status_code == 400
    head = ask("/queue/events", secret, "HEAD")
    assert (head.status_code, head["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
    assert listeners.count() == 0


def test_head_is_get_without_its_body(secret: str, register: Register) -> None:
    url = f"/queue/jobs/{api.enqueue(register(lambda context: None)).pk}"
    read, head = ask(url, secret), ask(url, secret, "HEAD")
    assert (head.status_code, head.content, head["Content-Length"]) == (200, b"", str(len(read.content)))


@pytest.mark.parametrize(
    ("method", "url", "status"),
    [
        ("GET", "/queue/", 404),
        ("GET", "/queue/nowhere/at/all", 404),
        ("POST", "/queue/nowhere", 404),
        ("GET", "/queue/jobs/0", 404),
        ("GET", "/queue/jobs/one", 404),
        ("DELETE", "/queue/jobs/1", 405),
        ("OPTIONS", "/queue/jobs/1", 405),
        ("GET", "/queue/jobs/1?id__in=1", 400),
    ],
)
def test_every_refusal_is_a_problem(method: str, url: str, status: int, secret: str) -> None:
    refused = ask(url, secret, method)
    assert (refused.status_code, refused["Content-Type"]) == (status, "application/problem+json")
    told = json.loads(refused.content)
    assert (told["status"], bool(told["detail"]), "no-store" in refused["Cache-Control"]) == (status, True, True)


def test_a_database_that_is_away_is_503_and_says_when_to_come_again(
    secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_args: Any, **_values: Any) -> None:
        raise OperationalError("the connection was lost")

    monkeypatch.setattr(jobs.Job.objects, "filter", away)
    refused = ask("/queue/jobs/1", secret)
    assert (refused.status_code, refused["Retry-After"]) == (503, "10")
    assert refused["Content-Type"] == "application/problem+json"


def test_a_bug_is_500_without_its_words_and_stands_in_the_log(
    secret: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_args: Any, **_values: Any) -> None:
        raise RuntimeError("secret words")

    monkeypatch.setattr(jobs.Job.objects, "filter", broken)
    monkeypatch.setattr(logging.getLogger("django"), "propagate", True)
    refused = ask("/queue/jobs/1", secret)
    assert (refused.status_code, refused["Content-Type"]) == (500, "application/problem+json")
    assert "secret words" not in refused.content.decode()
    assert any(record.exc_info and "secret words" in str(record.exc_info[1]) for record in caplog.records)


def test_the_page_loads_files_of_this_site_alone(settings: Any) -> None:
    page = Client().get("/queue/docs")
    assert page.status_code == 200
    assert "://" not in page.content.decode().replace("http://www.w3.org", "")
    assert "<script>" not in page.content.decode()
    policy = page["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "unsafe-eval" not in policy
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "ninja"]
    assert Client().get("/queue/docs").status_code == 404


def test_every_operation_documents_what_it_may_answer_and_names_itself_once() -> None:
    schema = Client().get("/queue/openapi.json").json()
    operations = [each for methods in schema["paths"].values() for each in methods.values()]
    names = [each["operationId"] for each in operations]
    assert len(names) == len(set(names))
    for each in operations:
        assert {"400", "401", "403", "503"} <= set(each["responses"])
        assert each["summary"]


def test_the_stream_of_events_is_described_beside_the_page() -> None:
    told = Client().get("/queue/openapi.json").json()["paths"]["/queue/events"]["get"]
    assert list(told["responses"]["200"]["content"]) == ["application/json", "text/event-stream"]
    assert "Last-Event-ID" in [each["name"] for each in told["parameters"]]
