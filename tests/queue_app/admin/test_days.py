"""Filtering by days: both ends belong to the range, in the zone of the list; nonsense is a wrong question."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from queue_app import api, clock
from queue_app.models import Job
from tests.queue_app.admin.pages import address, client_of, text_of
from tests.queue_app.jobs import Register

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def boss(register: Register) -> Client:
    register(lambda _context: None)
    return client_of("boss", is_superuser=True)


def at(text: str) -> Job:
    return api.enqueue("tests.job", run_at=datetime.fromisoformat(text).replace(tzinfo=UTC))


def found(client: Client, query: str) -> set[int]:
    return {job.pk for job in client.get(address(Job) + query).context["cl"].result_list}


def test_both_ends_belong_to_it(boss: Client) -> None:
    before, first, last, after = map(
        at, ("2031-01-01T23:59", "2031-01-02T00:00", "2031-01-03T23:59", "2031-01-04T00:00")
    )
    assert found(boss, "?run_at_from=2031-01-02&run_at_to=2031-01-03") == {first.pk, last.pk}
    assert found(boss, "?run_at_from=2031-01-03") == {last.pk, after.pk}
    assert found(boss, "?run_at_to=2031-01-02") == {before.pk, first.pk}


def test_the_named_days_are_links_and_the_chosen_one_is_shown(boss: Client) -> None:
    api.enqueue("tests.job")
    today = clock.now().date()
    query = f"?run_at_from={today}&run_at_to={today}"
    text = boss.get(address(Job) + query).content.decode()
    assert query.replace("&", "&amp;") in text
    assert "<strong>Today</strong>" in text
    assert f'value="{today}"' in text
    later = today + timedelta(days=400)
    assert "…" in text_of(boss.get(f"{address(Job)}?run_at_from={later}"))


@pytest.mark.parametrize("day", ["yesterday", "2031-02-30", "0001-01-01", "9999-12-31", "<b>", "2031-01-01T10:00"])
def test_what_is_no_day_is_a_wrong_question(day: str, boss: Client) -> None:
    answer = boss.get(address(Job), {"run_at_from": day})
    assert answer.status_code == 302
    assert answer["Location"].endswith("?e=1")


def test_a_range_keeps_the_other_filters(boss: Client) -> None:
    at("2031-01-02T00:00")
    text = boss.get(f"{address(Job)}?state__exact=pending&q=tests").content.decode()
    form = text[text.index('class="sq-days"') :]
    assert '<input type="hidden" name="q" value="tests">' in form
    assert '<input type="hidden" name="state__exact" value="pending">' in form
