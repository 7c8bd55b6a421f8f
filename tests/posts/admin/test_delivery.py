from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from posts.models import Delivery, DeliveryStatus, Post
from posts.services.accounts import disable_account
from posts.services.posts import publish_now
from queue_app import api
from queue_app.models import Job
from queue_app.outcomes import Fail, Failure
from tests.posts.admin.pages import act, browser, list_of, messages_of, page, person, value
from tests.posts.making import NO_ANSWER, REJECTED, account, delivery, draft, end, job_of, sent, unsettled

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss() -> Client:
    return browser(person("boss", is_superuser=True))


def read(client: Client, found: Delivery) -> str:
    return client.get(page(found)).content.decode()


def test_a_published_one_links_to_the_live_post(boss: Client) -> None:
    text = read(boss, delivery(sent(account("Ada"))))
    assert '<a href="https://outbox.example/1" rel="noopener noreferrer">' in text
    assert "Published" in text
    assert "<strong>Scheduled</strong>" in text
    assert "<strong>Execution started</strong>" in text
    assert "1 of 3" in text
    assert "Retry…" not in text


def test_a_failed_one_shows_error_next_step_and_attempt(boss: Client) -> None:
    text = read(boss, delivery(sent(account("Ada"), outcome=REJECTED)))
    assert "Outbox refused the post." in text
    assert "Change the post, then retry." in text
    assert "ContentRejected" in text
    assert "Retry…" in text


def test_one_that_needs_review_offers_four_ways_out(boss: Client) -> None:
    text = read(boss, delivery(unsettled(account("Ada"))))
    assert "may already be live" in text
    for label in ("Mark as published…", "Check again…", "Retry…", "Cancel…"):
        assert label in text


def test_retrying_what_may_be_live_says_so_and_backing_out_sends_nothing(boss: Client) -> None:
    found = delivery(unsettled(account("Ada")))
    text = act(boss, "retry", found, sure=False, next=page(found)).content.decode()
    assert "could publish twice" in text
    assert f'<a href="{page(found)}" class="closelink">No, go back</a>' in text
    assert job_of(found).state == "uncertain"
    act(boss, "retry", found)
    assert job_of(found).state == "pending"


def test_marks_as_published_with_the_link_and_the_history(boss: Client) -> None:
    found = delivery(unsettled(account("Ada")))
    act(boss, "mark_published", found, url="https://example.org/p/1")
    found.refresh_from_db()
    assert (found.status, found.url) == (DeliveryStatus.PUBLISHED, "https://example.org/p/1")
    assert LogEntry.objects.get().change_message == "Marked as published: https://example.org/p/1"


def test_a_link_that_is_none_is_refused(boss: Client) -> None:
    found = delivery(unsettled(account("Ada")))
    assert "is not the link of a post" in messages_of(act(boss, "mark_published", found, url="javascript:alert(1)"))
    found.refresh_from_db()
    assert found.status == DeliveryStatus.NEEDS_REVIEW


def test_checks_again(boss: Client) -> None:
    found = delivery(unsettled(account("Ada")))
    Job.objects.filter(reconciles=job_of(found)).delete()
    act(boss, "check_again", found)
    assert Job.objects.filter(reconciles=job_of(found), state="pending").count() == 1


def test_cancels_and_retries_many_at_once(boss: Client) -> None:
    waiting = delivery(publish_now(draft(account("Ada"))))
    failed = delivery(sent(account("Bob"), outcome=REJECTED))
    done = delivery(sent(account("Eve")))
    answer = messages_of(act(boss, "cancel", waiting, failed, done))
    assert "1 delivery cancelled." in answer
    assert "it is failed" in answer
    assert "it is published" in answer
    assert "2 deliveries to be tried again now." in messages_of(act(boss, "retry", waiting, failed, done))


def test_a_waiting_one_says_why(boss: Client) -> None:
    found = delivery(publish_now(draft(account("Ada"))))
    disable_account(found.account)
    text = read(boss, found)
    assert "Ada on Outbox is disabled" in text
    assert "Enable the account" in text


def test_its_history_outlives_the_job(boss: Client) -> None:
    found = delivery(sent(account("Ada")))
    Job.objects.all().delete()
    text = read(boss, found)
    assert "https://outbox.example/1" in text
    assert "Published" in text


def test_the_list_filters_and_finds(boss: Client) -> None:
    sent(account("Ada"), text="good one")
    sent(account("Bob"), text="bad one", outcome=REJECTED)
    text = boss.get(f"{list_of(Delivery)}?status__exact=failed").content.decode()
    assert "bad one" in text
    assert "good one" not in text
    assert "good one" in boss.get(f"{list_of(Delivery)}?q=outbox.example").content.decode()


def test_nothing_is_offered_while_it_is_looked_up_but_what_helps(boss: Client) -> None:
    found = delivery(sent(account("Ada"), outcome=NO_ANSWER))
    assert "it is being looked up" in read(boss, found)


def test_the_job_that_moved_on_is_said_and_not_forced(boss: Client) -> None:
    found = delivery(publish_now(draft(account("Ada"))))
    page_text = act(boss, "cancel", found, sure=False).content.decode()
    assert "Cancel: 1 delivery" in page_text
    api.cancel(job_of(found).pk)
    assert "Skipped: 1" in act(boss, "cancel", found).content.decode()


def test_asks_again_when_it_may_have_gone_out_since_the_question(boss: Client) -> None:
    found = delivery(sent(account("Ada"), outcome=REJECTED))
    asked = act(boss, "retry", found, sure=False).content.decode()
    assert value(asked, "warned") == ""
    api.retry(job_of(found).pk)
    end(found, NO_ANSWER)
    data = {"action": "retry", "index": "0", "_selected_action": found.pk, "confirmed": "1", "warned": ""}
    again = boss.post(list_of(Delivery), data).content.decode()
    assert "could publish twice" in again
    assert "Nothing was done: what it would do has changed since you were asked." in again
    assert "has changed since" not in asked
    assert job_of(found).state == "uncertain"


def test_asks_again_when_more_match_than_were_counted(boss: Client) -> None:
    first = delivery(publish_now(draft(account("Ada"))))
    second = delivery(publish_now(draft(account("Bob"))))
    data = {"action": "cancel", "index": "0", "_selected_action": first.pk, "select_across": "1"}
    answer = boss.post(list_of(Delivery), {**data, "confirmed": "1", "warned": ""})
    assert "Cancel: 2 deliveries" in answer.content.decode()
    assert {job_of(first).state, job_of(second).state} == {"pending"}


def test_a_middle_part_says_that_the_rest_will_not_be_sent(boss: Client) -> None:
    found = delivery(unsettled(account("Ada")))
    Delivery.objects.filter(pk=found.pk).update(
        snapshot={"parts": [{"text": str(place)} for place in range(5)]}, live=[{"id": "1", "url": "", "settled": True}]
    )
    text = act(boss, "mark_published", found, sure=False).content.decode()
    assert "3 later parts of the thread have not been sent, and will not be" in text
    Delivery.objects.filter(pk=found.pk).update(live=[{"id": str(place), "settled": True} for place in range(4)])
    assert "have not been sent" not in act(boss, "mark_published", found, sure=False).content.decode()


def test_what_failed_tells_reason_message_code_and_step_once(boss: Client) -> None:
    outcome = Fail(
        Failure("ContentRejected", "Outbox refused the post. (No cats <b>)", code="content_rejected", response_code=422)
    )
    text = read(boss, delivery(sent(account("Ada"), outcome=outcome)))
    for said in ("Outbox refused the post.", "No cats &lt;b&gt;", "response 422", "Change the post, then retry."):
        assert said in text
    assert "What Outbox said" in text
    assert text.count("Next step") == 1


@pytest.mark.parametrize("kind", [Post, Delivery, Job])
def test_a_list_is_read_in_few_queries_however_long_it_is(
    kind: type[Any], boss: Client, django_assert_max_num_queries: Any
) -> None:
    counts = []
    for _round in range(2):
        for _number in range(8):
            sent(account("Ada"), account("Bob"))
        with django_assert_max_num_queries(30) as queries:
            assert boss.get(list_of(kind)).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]
