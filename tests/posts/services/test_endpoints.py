"""Webhooks of people: what may be entered, whose they are, and what a name or an address may be."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from posts.models import WebhookEndpoint
from posts.publishing.standard_webhooks import key_of
from posts.services import endpoints
from posts.services.errors import Conflict, NotAllowed, ValidationFailed
from queue_app.models import EventName
from tests.posts.hearing import endpoint, listener
from tests.posts.making import user

pytestmark = pytest.mark.django_db


def test_a_new_one_gets_what_happens_from_now_on_and_a_secret_of_its_own() -> None:
    ada = listener()
    one, first = endpoints.create_endpoint(ada, name=" The  desk ", url=" https://desk.example/hook ")
    _two, second = endpoints.create_endpoint(ada, name="Other", url="https://desk.example/hook", names=["post.failed"])
    assert (one.name, one.url, one.names, one.enabled) == ("The desk", "https://desk.example/hook", [], True)
    assert len(key_of(first)) == 32
    assert first != second
    assert first.removeprefix("whsec_") not in str(WebhookEndpoint.objects.values())


@pytest.mark.parametrize(
    ("field", "entered"),
    [
        ("name", {"name": " "}),
        ("name", {"name": "x" * 101}),
        ("name", {"name": "a\0b"}),
        ("url", {"url": "http://desk.example/hook"}),
        ("url", {"url": "https://ada:secret@desk.example/"}),
        ("url", {"url": "https://"}),
        ("url", {"url": "https://[broken"}),
        ("url", {"url": "javascript:alert(1)"}),
        ("url", {"url": "https://desk.example/" + "x" * 2000}),
        ("url", {"url": "https://desk.example/\0"}),
        ("names", {"names": ["post.publishd"]}),
    ],
)
@pytest.mark.one_database
def test_what_can_be_no_webhook_is_refused_with_the_field(field: str, entered: dict[str, Any]) -> None:
    given = {"name": "Desk", "url": "https://desk.example/hook", **entered}
    with pytest.raises(ValidationFailed) as refused:
        endpoints.create_endpoint(listener(), **given)
    assert [problem.field for problem in refused.value.problems] == [field]
    assert not WebhookEndpoint.objects.exists()


def test_plain_http_is_taken_where_the_site_may_call_its_own_network(settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "ALLOW_PRIVATE_NETWORKS": True}
    assert endpoint(url="http://127.0.0.1:9000/hook").url == "http://127.0.0.1:9000/hook"


def test_a_person_has_no_two_of_one_name() -> None:
    ada = listener()
    first, second = endpoint(ada), endpoint(ada, name="Other")
    endpoint(listener("bob"))
    with pytest.raises(ValidationFailed, match="There is a webhook “Desk” already"):
        endpoint(ada)
    with pytest.raises(ValidationFailed):
        endpoints.change_endpoint(second, name=first.name, url=second.url, names=[])


def test_changing_keeps_the_secret_and_the_place_in_the_log() -> None:
    found = endpoint()
    before = WebhookEndpoint.objects.values("sealed", "position", "uuid").get()
    endpoints.change_endpoint(
        found, name="New", url="https://new.example/", names=["job_failed", "post.failed"], actor=found.owner
    )
    assert (found.name, found.url, found.names) == ("New", "https://new.example/", ["post.failed", "job_failed"])
    assert WebhookEndpoint.objects.values("sealed", "position", "uuid").get() == before
    assert set(EventName.values) <= set(endpoints.KNOWN)


def test_those_of_others_are_out_of_reach_but_for_whoever_looks_after_all() -> None:
    found, other, boss = endpoint(), listener("bob"), listener("boss", "posts.manage_all_webhooks")
    for act in (endpoints.switch_off, endpoints.switch_on, endpoints.renew_secret, endpoints.delete_endpoint):
        with pytest.raises(NotAllowed):
            act(found, actor=other)
        with pytest.raises(NotAllowed):
            act(found, actor=user(act.__name__))
    endpoints.switch_off(found, actor=boss)
    endpoints.delete_endpoint(found, actor=boss)
    with pytest.raises(Conflict):
        endpoints.switch_off(found)


def test_one_that_is_off_has_a_reason_and_one_that_is_on_has_none() -> None:
    found = endpoint()
    for wrong in ({"enabled": False}, {"off_reason": "gone"}, {"position": -1}):
        with pytest.raises(IntegrityError), transaction.atomic():
            WebhookEndpoint.objects.filter(pk=found.pk).update(**wrong)
