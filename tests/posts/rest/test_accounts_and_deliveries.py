"""Accounts and deliveries over HTTP: what stands where and why, and what is done to one delivery."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry

from posts.models import Account, Delivery
from posts.services.posts import schedule_post
from queue_app import clock
from tests.posts.admin.pages import PUBLISHER, person
from tests.posts.making import NO_ANSWER, REJECTED, account, delivery, draft, sent
from tests.posts.rest.calling import Program

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ada() -> Program:
    return Program(person("ada", (*PUBLISHER, "posts.view_all_posts")))


def ids(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.content
    return [item["id"] for item in answer.json()["items"]]


def test_an_account_tells_how_it_stands_and_what_it_still_takes(ada: Program, settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "LIMITS": {"account:*": "3/h"}}
    found = account("Ada", platform="bluesky", sealed_credentials="canary", config={"service": "https://pds.test"})
    waits = draft(found)
    schedule_post(waits, at=clock.now() + timedelta(hours=2))
    answer = ada.get(f"accounts/{found.pk}")
    told = answer.json()
    assert (told["name"], told["platform"], told["platform_label"], told["enabled"]) == (
        "Ada",
        "bluesky",
        "Bluesky",
        True,
    )
    assert (told["health"]["state"], told["waiting"]) == ("alive", 1)
    (limit,) = [each for each in told["capacity"] if each["whose"] == "This site"]
    assert (limit["count"], limit["seconds"], limit["left"], limit["frees_at"]) == (3, 3600, 3, None)
    assert "canary" not in answer.content.decode()
    assert "pds.test" not in answer.content.decode()


def test_accounts_are_listed_as_far_as_one_may_use_them(ada: Program) -> None:
    own, shared = account("Own", owner=person("bob", PUBLISHER)), account("Shared")
    off = account("Off", platform="telegram", enabled=False)
    assert ids(ada.get("accounts")) == [own.pk, shared.pk, off.pk]
    assert ids(ada.get("accounts?platform=telegram")) == ids(ada.get("accounts?enabled=false")) == [off.pk]
    page = ada.get("accounts?limit=2").json()
    assert ids(ada.get(f"accounts?limit=2&cursor={page['next']}")) == [off.pk]
    eve = Program(person("eve", PUBLISHER))
    assert ids(eve.get("accounts")) == [shared.pk, off.pk]
    assert eve.get(f"accounts/{own.pk}").status_code == 404


def test_deliveries_are_listed_by_where_they_stand(ada: Program) -> None:
    first, second = account("One"), account("Two", platform="telegram")
    waits = draft(first, second)
    schedule_post(waits, at=clock.now() + timedelta(hours=1))
    failed = sent(first, outcome=REJECTED)
    one, two = Delivery.objects.filter(post=waits).order_by("pk")
    assert ids(ada.get("deliveries")) == [delivery(failed).pk, two.pk, one.pk]
    assert ids(ada.get("deliveries?state=failed")) == [delivery(failed).pk]
    assert ids(ada.get(f"deliveries?post={waits.pk}&platform=telegram")) == [two.pk]
    assert ids(ada.get(f"deliveries?account={first.pk}")) == [delivery(failed).pk, one.pk]
    assert ada.get("deliveries?state=gone").status_code == 400
    assert ids(Program(person("eve", PUBLISHER)).get("deliveries")) == []


def test_what_the_admin_does_to_a_delivery_is_done_and_noted(ada: Program) -> None:
    failed = delivery(sent(account("One"), outcome=REJECTED))
    assert ada.post(f"deliveries/{failed.pk}/retry").json()["state"] == "scheduled"
    assert ada.post(f"deliveries/{failed.pk}/cancel").json()["state"] == "cancelled"
    refused = ada.post(f"deliveries/{failed.pk}/cancel")
    assert (refused.status_code, "nothing to cancel" in refused.json()["detail"]) == (409, True)
    said = LogEntry.objects.order_by("pk").values_list("change_message", "object_id")
    way = "through the API, by the key “Script”."
    assert list(said) == [(f"Retried {way}", str(failed.pk)), (f"Cancelled {way}", str(failed.pk))]


def test_what_nobody_knows_of_is_settled(ada: Program) -> None:
    first, second = (delivery(sent(account(name), outcome=NO_ANSWER)) for name in ("One", "Two"))
    refused = ada.post(f"deliveries/{first.pk}/retry")
    assert (refused.status_code, "twice" in refused.json()["detail"]) == (409, True)
    assert ada.post(f"deliveries/{first.pk}/check-again").json()["state"] == "needs_review"
    wrong = ada.post(f"deliveries/{first.pk}/mark-published", {"url": "javascript:alert(1)"})
    assert (wrong.status_code, wrong.json()["errors"][0]["path"]) == (422, "url")
    told = ada.post(f"deliveries/{first.pk}/mark-published", {"url": "https://outbox.example/1"}).json()
    assert (told["state"], told["url"]) == ("published", "https://outbox.example/1")
    again = ada.post(f"deliveries/{second.pk}/retry", {"even_if_uncertain": True})
    assert again.json()["state"] == "scheduled"


def test_an_account_of_an_unknown_platform_is_told_too(ada: Program) -> None:
    gone = account("Old", platform="myspace")
    assert ada.get(f"accounts/{gone.pk}").json()["platform_label"]
    assert Account.objects.count() == 1
