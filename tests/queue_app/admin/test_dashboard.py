"""The queue's own dashboard: who sees what, that its numbers are those of the lists behind them, and its switches."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from queue_app import api, clock, pauses
from queue_app.admin import dashboard, lists
from queue_app.models import Block, Job, Worker
from queue_app.states import JobState
from tests.queue_app.admin.pages import client_of, said, text_of
from tests.queue_app.jobs import Register
from tests.queue_app.test_selectors import put

pytestmark = pytest.mark.django_db

URL = "/admin/queue_app/job/dashboard/"


@pytest.fixture
def operator() -> Client:
    return client_of("op", *(f"{what}_block" for what in ("view", "add", "delete")), "view_job", "view_worker")


@pytest.fixture
def name(register: Register) -> str:
    register(lambda context: None, "tests.internal", internal=True)
    return register(lambda context: None)


def worker(**fields: Any) -> Worker:
    now = clock.now()
    known = {"name": "w1", "cluster": "c", "queues": {"default": 1}, "host": "north/7", "pid": 4711, "start_ticks": "1"}
    return Worker.objects.create(**known | {"version": "9.8", "started_at": now, "heartbeat_at": now} | fields)


def due_since(name: str, seconds: float) -> Job:
    job = api.enqueue(name)
    Job.objects.filter(pk=job.pk).update(run_at=clock.now() - timedelta(seconds=seconds))
    return job


def counts(text: str) -> dict[str, tuple[str, int]]:
    """Return the address and number of every count of the page, by its words."""
    found = re.findall(
        r'<a href="([^"]*)">\s*<span class="sq-badge[^>]*>.*?<span>([^<]*)</span></span>\s*<strong>([\d,]+)<', text
    )
    return {label: (html.unescape(url), int(number.replace(",", ""))) for url, label, number in found}


def test_is_for_who_may_see_something_of_it() -> None:
    assert reverse("admin:queue_app_dashboard") == URL
    assert Client().get(URL).status_code == 302
    assert client_of("nobody").get(URL).status_code == 403
    text = text_of(client_of("viewer", "view_worker").get(URL))
    assert "Workers" in text
    assert "Pause switches" not in text
    assert "The queue now" not in text


def test_every_count_is_that_of_the_list_behind_it(operator: Client, name: str) -> None:
    for state, number in ((JobState.FAILED, 3), (JobState.COMPLETED, 2), (JobState.HELD, 1), (JobState.CANCELLED, 1)):
        for _ in range(number):
            put(api.enqueue(name), state, finished_at=clock.now())
    due_since(name, 300)
    due_since(name, 5)
    api.enqueue(name, run_at=clock.now() + timedelta(hours=1))
    put(api.enqueue(name), JobState.PENDING, parked_by="all")
    Job.objects.filter(pk=api.enqueue("tests.internal").pk).update(state=JobState.FAILED)
    shown = counts(operator.get(URL).content.decode())
    numbers = {label: number for label, (_url, number) in shown.items()}
    assert numbers == {
        "Due now": 2, "Behind a pause or limit": 1, "Pending": 4, "Running": 0, "Held": 1, "Uncertain": 0,
        "Failed": 3, "Completed": 2, "Cancelled": 1,
    }  # fmt: skip
    for label, (url, number) in shown.items():
        assert operator.get(url).context["cl"].result_count == number, label


def test_what_needs_a_person_stands_first(operator: Client, name: str) -> None:
    assert "All is well" in text_of(operator.get(URL))
    put(api.enqueue(name), JobState.FAILED, finished_at=clock.now())
    due_since(name, 100)
    text = operator.get(URL).content.decode()
    needs = re.findall(r'class="sq-need" href="([^"]*)".*?<span>(\d+)</span></span> <strong>([^<]*)<', text)
    assert [(number, label) for _url, number, label in needs] == [("1", "failed"), ("1", "late")]
    for url, number, label in needs:
        assert operator.get(html.unescape(url)).context["cl"].result_count == int(number), label


def test_a_long_list_is_counted_as_far_as_the_list_itself(
    operator: Client, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (lists, dashboard):
        monkeypatch.setattr(module, "MOST_COUNTED", 3)
    for _ in range(4):
        due_since(name, 1)
    assert "Due now 3 or more" in text_of(operator.get(URL))
    assert "3 or more jobs" in text_of(operator.get("/admin/queue_app/job/?waiting=due"))


@pytest.mark.parametrize(("seconds", "look"), [(5, "sq-ok"), (61, "sq-warn"), (301, "sq-bad")])
def test_the_oldest_due_item_turns_amber_then_red(operator: Client, name: str, seconds: int, look: str) -> None:
    assert "Nothing is due and waiting." in text_of(operator.get(URL))
    due_since(name, seconds)
    text = operator.get(URL).content.decode()
    badge = re.search(
        r'<p class="sq-oldest">\s*<span class="sq-badge (sq-\w+)">.*?<span>([^<]*)</span>', text, re.DOTALL
    )
    assert badge is not None
    assert badge[1] == look
    assert re.match(r"The oldest due item is (\d+ s|5 min \d s) late\.", badge[2])


def test_workers_stand_with_what_they_do(operator: Client, name: str) -> None:
    assert "No worker is alive" in text_of(operator.get(URL))
    busy = worker()
    now = clock.now()
    put(api.enqueue(name), JobState.RUNNING, worker=busy, lease_until=now + timedelta(hours=1), started_at=now)
    worker(name="w2", pid=4712, heartbeat_at=now - timedelta(minutes=5))
    text = text_of(operator.get(URL))
    assert re.search(rf"Alive north 4711 9\.8 \d+ ms ago {name} #\d+", text)
    assert re.search(r"Lost north 4712 9\.8 5 min \d s ago –", text)
    assert "No worker is alive" not in text


def test_pauses_and_resumes_after_a_question_and_comes_back(operator: Client, name: str) -> None:
    due_since(name, 1)
    page = operator.get(URL).content.decode()
    (link,) = re.findall(r'href="([^"]*)">Pause…<span class="visually-hidden"> Everything<', page)
    asked = operator.get(html.unescape(link))
    answers = {"key": "all", "next": URL}
    assert "1 waiting job will not start" in text_of(operator.post(asked.request["PATH_INFO"], answers))
    done = operator.post(asked.request["PATH_INFO"], answers | {"confirmed": "yes"}, follow=True)
    assert done.redirect_chain == [(URL, 302)]
    assert "Everything Paused by op" in text_of(done)
    block = Block.objects.get()
    form = {"action": "lift", "index": "0", "select_across": "0", "_selected_action": block.pk, "next": URL}
    asked = operator.post(reverse("admin:queue_app_block_changelist"), form)
    assert Block.objects.exists()
    done = operator.post(
        reverse("admin:queue_app_block_changelist"), form | {"confirmed": "1", "warned": ""}, follow=True
    )
    assert done.redirect_chain == [(URL, 302)]
    assert "lifted" in said(done)
    assert not Block.objects.exists()


def test_goes_back_to_pages_of_this_site_alone(operator: Client) -> None:
    add = reverse("admin:queue_app_block_add")
    answer = operator.post(add, {"key": "all", "confirmed": "yes", "next": "https://example.org/"})
    assert answer["Location"] == reverse("admin:queue_app_block_changelist")
    assert "example.org" not in operator.get(f"{add}?next=https://example.org/").content.decode()


def test_a_viewer_has_no_switches_to_press(name: str) -> None:
    pauses.pause("queue:slow", reason="<b>why</b>", actor="ann")
    text = client_of("viewer", "view_block").get(URL).content.decode()
    assert "Queue slow" in text
    assert "&lt;b&gt;why&lt;/b&gt;" in text
    assert "sq-switch-name" in text
    assert 'class="button sq-switch"' not in text


def test_the_page_asks_for_its_panels_alone(operator: Client) -> None:
    whole, part = operator.get(URL), operator.get(URL, headers={"X-Live": "1"})
    assert b'id="dashboard"' in part.content
    assert b"<html" not in part.content
    assert f'hx-get="{URL}"'.encode() in whole.content
    assert whole.content.count(b"live.js") == 1


def test_asks_the_same_queries_however_much_there_is(
    operator: Client, name: str, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        due_since(f"{name}", number)
        put(api.enqueue(name), JobState.COMPLETED, finished_at=clock.now(), started_at=clock.now())
        worker(name=f"x{number}", pid=number)
        pauses.pause(f"queue:{number}")
    operator.get(URL)
    with django_assert_max_num_queries(24):
        operator.get(URL)
