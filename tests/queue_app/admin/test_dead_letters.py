"""Dead letters: the failed jobs with when and why, retried with other arguments or given up."""

from __future__ import annotations

import html
import json
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from queue_app import api, registry
from queue_app.models import Job
from queue_app.outcomes import Done, Fail, Failure
from tests.queue_app.admin.pages import act, address, ask, client_of, said, text_of
from tests.queue_app.jobs import Register, Run, reloaded

pytestmark = pytest.mark.django_db(transaction=True)

DEAD = "?state__exact=failed"


@pytest.fixture
def boss() -> Client:
    return client_of("boss", is_superuser=True)


@pytest.fixture
def dead(register: Register, run: Run) -> Job:
    """A job that fails for every number but 7."""

    def only_seven(_context: Any, number: int, note: str = "") -> Any:
        return Done(number) if number == 7 else Fail(Failure("WrongNumber", f"{number} is wrong", code="wrong"))

    job = api.enqueue(register(only_seven, "tests.dead"), {"number": 6}, target_id="order 12")
    run()
    return reloaded(job)


def test_the_list_says_when_and_why(boss: Client, dead: Job) -> None:
    api.enqueue("tests.dead", {"number": 7})
    answer = boss.get(address(Job) + DEAD)
    assert answer.context["title"] == "Dead letters"
    assert [job.pk for job in answer.context["cl"].result_list] == [dead.pk]
    text = text_of(answer)
    assert dead.finished_at is not None
    for words in ("order 12", "6 is wrong", f"{dead.finished_at:%Y-%m-%d %H:%M}", "wrong 6 is wrong", "All jobs"):
        assert words in text, words


def test_the_last_to_fail_comes_first(boss: Client, dead: Job, run: Run) -> None:
    api.enqueue("tests.dead", {"number": 5})
    run()
    api.retry(dead.pk)
    run()
    found = boss.get(address(Job) + DEAD).context["cl"].result_list
    assert [job.args["number"] for job in found] == [6, 5]


def test_without_any_the_list_says_so(boss: Client) -> None:
    assert "No dead letters: nothing has failed for good." in text_of(boss.get(address(Job) + DEAD))
    assert "Dead letters" in text_of(boss.get(address(Job)))


@pytest.mark.parametrize("words", ["is wrong", "order 12", "tests.dead"])
def test_they_are_searched_by_error_target_and_type(boss: Client, dead: Job, words: str) -> None:
    found = boss.get(address(Job), {"state__exact": "failed", "q": words}).context["cl"].result_list
    assert list(found) == [dead]
    assert list(boss.get(address(Job), {"q": f"#{dead.pk}"}).context["cl"].result_list) == [dead]
    assert list(boss.get(address(Job), {"q": str(dead.pk + 1)}).context["cl"].result_list) == []


def test_a_retry_with_edited_arguments_runs_with_them(boss: Client, dead: Job, run: Run) -> None:
    assert "Retry with edited arguments…" in text_of(boss.get(address(dead)))
    asked = ask(boss, "retry_edited", dead)
    assert json.loads(html.unescape(asked.content.decode().split("</textarea>")[0].rpartition(">")[2])) == {"number": 6}
    act(boss, "retry_edited", dead, arguments='{"number": 7, "note": "as Ada says"}')
    waiting = reloaded(dead)
    assert (waiting.state, waiting.args) == ("pending", {"number": 7, "note": "as Ada says"})
    assert waiting.events.filter(actor="boss", data__edited=True).exists()
    assert LogEntry.objects.get().change_message == "Put back to run now with edited arguments."
    run()
    assert reloaded(dead).state == "completed"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("", "This field is required."),
        ("{", "This is no JSON"),
        ("[1]", "a list instead of a dict"),
        ("null", "a NoneType instead of a dict"),
        ('{"number": "7"}', "another str for number"),
        ('{"numbr": 7}', "unexpected 'numbr'"),
        ("{}", "no 'number'"),
        ('{"number": NaN}', "got nan"),
        ('{"number": 7, "note": "\\u0000"}', "text with NUL"),
        ('{"number": 7, "note": "\\ud800"}', "lone surrogate"),
        ('{"number": 7, "number": 8}', "The name 'number' stands twice"),
        ('{"number": ' + "[" * 200_000, "This is nested too deeply."),
        ('{"number": ' + "9" * 5000 + "}", "Exceeds the limit"),
        ('{"number": 7, "note": "' + "x" * 300_000 + '"}', "store large data and pass its id"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_beside_the_field(
    boss: Client, dead: Job, arguments: str, words: str
) -> None:
    answer = act(boss, "retry_edited", dead, arguments=arguments)
    assert words in " ".join(answer.context["form"].errors["arguments"])
    assert html.escape(words) in answer.content.decode()
    assert reloaded(dead) == dead
    assert (reloaded(dead).state, reloaded(dead).args) == ("failed", {"number": 6})


def test_arguments_are_edited_one_job_at_a_time(boss: Client, dead: Job, run: Run) -> None:
    other = api.enqueue("tests.dead", {"number": 5})
    run()
    assert "choose one job" in text_of(ask(boss, "retry_edited", dead, other))
    assert "choose one job" in text_of(ask(boss, "retry_edited", dead, everything=True))


def test_nobody_edits_what_nobody_can_check(boss: Client, dead: Job) -> None:
    registry.unregister("tests.dead")
    assert "nothing here knows the type tests.dead" in text_of(ask(boss, "retry_edited", dead))


def test_a_unique_key_that_another_has_by_now_is_said(boss: Client, register: Register, run: Run) -> None:
    name = register(lambda context, number: Fail(Failure("No", "no")), "tests.unique", unique=True)
    first = api.enqueue(name, {"number": 1})
    run()
    second = api.enqueue(name, {"number": 2})
    answer = act(boss, "retry_edited", first, arguments='{"number": 2}')
    assert f"job {second.pk} with unique key" in said(answer)
    assert reloaded(first).state == "failed"


def test_a_discarded_one_is_no_dead_letter_any_more(boss: Client, dead: Job) -> None:
    act(boss, "discard", dead, reason="the order is gone")
    assert reloaded(dead).state == "cancelled"
    assert "No dead letters" in text_of(boss.get(address(Job) + DEAD))
    assert LogEntry.objects.get().change_message == "Given up: the order is gone"


def test_a_held_job_is_released_not_retried(boss: Client, register: Register, run: Run) -> None:
    job = api.enqueue(register(lambda context: None))
    act(boss, "hold", job, reason="wait for Ada")
    text = text_of(boss.get(address(job)))
    assert "wait for Ada" in text
    assert "Release…" in text
    assert "Retry…" not in text
    act(boss, "release", job)
    run()
    assert reloaded(job).state == "completed"
