"""What Meta tells this site: believed only when it is signed, heard once, and what then becomes of accounts."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from posts import credentials
from posts.models import Account, Delivery, PlatformEvent
from posts.services.posts import publish_now
from queue_app import clock
from queue_app.models import Block, BlockKind, Job
from tests.posts.making import account, delivery, draft, job_of

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

SECRET = "the-apps-secret"
PERSON = "10215555"
PAGE = "1755847768034402"


@pytest.fixture(autouse=True)
def apps(settings: Any) -> None:
    facebook = {"CLIENT_ID": "1", "CLIENT_SECRET": SECRET, "WEBHOOK_VERIFY_TOKEN": "verify-me"}
    threads = {"CLIENT_ID": "2", "CLIENT_SECRET": "another-secret"}
    platforms = {"facebook": facebook, "threads": threads}
    settings.SOCIALQ = {**settings.SOCIALQ, "PLATFORMS": platforms, "SITE_URL": "https://socialq.example"}


@pytest.fixture
def web() -> Client:
    return Client(enforce_csrf_checks=True)


def a_page(platform: str = "facebook", page: str = PAGE, person: str = PERSON) -> Account:
    made = account("Metricsaurus", platform, identity_id=page, config={"page_id": page, "person_id": person})
    sealed = credentials.seal(made.uuid, {"access_token": "EAApage"})
    earlier = clock.now() - timedelta(minutes=1)
    Account.objects.filter(pk=made.pk).update(sealed_credentials=sealed, updated_at=earlier)
    return made


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(secret: str = SECRET, **said: Any) -> str:
    said = {"algorithm": "HMAC-SHA256", "issued_at": int(clock.now().timestamp()), "user_id": PERSON} | said
    payload = encoded(json.dumps(said).encode())
    return f"{encoded(hmac.new(secret.encode(), payload.encode(), hashlib.sha256).digest())}.{payload}"


def deauthorize(web: Client, text: str) -> int:
    return web.post("/hooks/meta/deauthorize/", {"signed_request": text}).status_code


def tell(web: Client, said: Any, secret: str = SECRET) -> Any:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": f"sha256={signature}"}
    return web.post("/hooks/meta/", body, content_type="application/json", headers=headers)


def reason(of: Account) -> str:
    return Account.objects.get(pk=of.pk).reconnect_reason


def change(object_name: str, subject: str, field: str, at: int | None = None, **value: Any) -> dict[str, Any]:
    at = int(time.time()) if at is None else at
    changes = [{"field": field, "value": value}]
    return {"object": object_name, "entry": [{"id": subject, "time": at, "changes": changes}]}


# The app was removed


def test_a_person_who_removed_the_app_must_connect_again(web: Client) -> None:
    mine, others = a_page(), a_page(page="99", person="someone")
    elsewhere = a_page("threads", page=PERSON)
    assert deauthorize(web, signed()) == 200
    assert reason(mine) == "access_removed"
    assert Block.objects.filter(key=mine.block_key, kind=BlockKind.RECONNECT).exists()
    assert reason(others) == reason(elsewhere) == ""
    assert PlatformEvent.objects.get().kind == "deauthorize"


def test_each_app_speaks_for_its_own_platform(web: Client) -> None:
    mine, elsewhere = a_page(), a_page("threads", page=PERSON)
    assert deauthorize(web, signed("another-secret")) == 200
    assert reason(mine) == ""
    assert reason(elsewhere) == "access_removed"


def test_what_was_heard_once_takes_no_effect_again(web: Client) -> None:
    mine, text = a_page(), signed()
    assert deauthorize(web, text) == 200
    Account.objects.filter(pk=mine.pk).update(reconnect_reason="")
    assert deauthorize(web, text) == 200
    head, _, payload = text.partition(".")
    assert deauthorize(web, f"{head}=.{payload}") == 200  # another spelling of the same signature
    assert reason(mine) == ""
    assert PlatformEvent.objects.count() == 1


def test_an_account_that_was_connected_since_then_is_left_alone(web: Client) -> None:
    mine = a_page()
    Account.objects.get(pk=mine.pk).save()
    assert deauthorize(web, signed(issued_at=int(clock.now().timestamp()) - 60)) == 200
    assert reason(mine) == ""


def test_nothing_is_remembered_of_what_failed(web: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, text = a_page(), signed()

    def failing(*_: object) -> bool:
        raise RuntimeError("the database went away")

    with monkeypatch.context() as patch:
        patch.setattr("posts.services.events.ask_reconnect", failing)
        with pytest.raises(RuntimeError):
            deauthorize(web, text)
    assert not PlatformEvent.objects.exists()
    assert deauthorize(web, text) == 200
    assert reason(mine) == "access_removed"


def test_what_is_not_signed_by_an_app_is_not_believed(web: Client) -> None:
    mine, text = a_page(), signed()
    head, _, payload = text.partition(".")
    changed = encoded(json.dumps({"algorithm": "HMAC-SHA256", "issued_at": 1, "user_id": "7"}).encode())
    for wrong in (
        signed("guessed"),
        f"{head}.{changed}",
        f".{payload}",
        f"é.{payload}",
        f"{head}.é",
        f"{head}a.{payload}",
    ):
        assert deauthorize(web, wrong) == 403
    assert deauthorize(web, signed(algorithm="none")) == 403
    assert deauthorize(web, signed(issued_at=int(clock.now().timestamp()) - 8 * 86_400)) == 403
    assert reason(mine) == ""
    assert not PlatformEvent.objects.exists()


def test_without_an_app_nothing_is_believed(web: Client, settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "PLATFORMS": {}}
    assert deauthorize(web, signed("")) == 403
    assert tell(web, {}, "").status_code == 403
    assert (
        web.get("/hooks/meta/", {"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": ""}).status_code
        == 403
    )


@pytest.mark.parametrize("said", [{"user_id": ""}, {"issued_at": "soon"}, {"issued_at": None}])
def test_a_request_that_lacks_something_is_not_understood(web: Client, said: dict[str, Any]) -> None:
    assert deauthorize(web, signed(**said)) == 400


def test_other_requests_are_not_understood(web: Client) -> None:
    assert web.post("/hooks/meta/deauthorize/", {}).status_code == 400
    assert web.post("/hooks/meta/deauthorize/", {"signed_request": "x" * 300_000}).status_code == 400
    assert web.get("/hooks/meta/deauthorize/").status_code == 405


# Data is to be deleted


def test_a_deletion_forgets_the_login_and_says_where_to_read_about_it(web: Client) -> None:
    mine, others, text = a_page(), a_page(page="99", person="someone"), signed()
    assert deauthorize(web, text) == 200  # the same text may come to both addresses
    Account.objects.get(pk=mine.pk).save()  # whatever happened to it since
    answer = web.post("/hooks/meta/deletion/", {"signed_request": text})
    assert answer.status_code == 200
    said = answer.json()
    assert said["url"] == f"https://socialq.example/hooks/meta/deletion/{said['confirmation_code']}/"
    stored = Account.objects.get(pk=mine.pk)
    assert credentials.unseal(stored.uuid, stored.sealed_credentials) == {"access_token": ""}
    assert stored.reconnect_reason == "access_removed"
    kept = Account.objects.get(pk=others.pk)
    assert credentials.unseal(kept.uuid, kept.sealed_credentials) == {"access_token": "EAApage"}
    page = web.get(f"/hooks/meta/deletion/{said['confirmation_code']}/")
    assert page.status_code == 200
    assert b"deleted" in page.content
    again = web.post("/hooks/meta/deletion/", {"signed_request": text})
    assert again.json() == said


def test_a_deletion_nobody_asked_for_has_no_page(web: Client) -> None:
    a_page()
    assert deauthorize(web, signed()) == 200
    assert web.get(f"/hooks/meta/deletion/{PlatformEvent.objects.get().key}/").status_code == 404
    assert web.get("/hooks/meta/deletion/abc/").status_code == 404


# Notifications


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": "verify-me"}, 200),
        ({"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": "guessed"}, 403),
        ({"hub.mode": "subscribe", "hub.challenge": "1158201444"}, 403),
        ({"hub.mode": "subscribe", "hub.verify_token": "verify-me"}, 400),
        ({"hub.mode": "other", "hub.challenge": "1", "hub.verify_token": "verify-me"}, 400),
        ({"hub.mode": "subscribe", "hub.challenge": "1" * 300, "hub.verify_token": "verify-me"}, 400),
    ],
)
def test_the_address_is_proved_to_be_ours(web: Client, asked: dict[str, str], status: int) -> None:
    answer = web.get("/hooks/meta/", asked)
    assert answer.status_code == status
    if status == 200:
        assert answer.content == b"1158201444"
        assert answer["Content-Type"].startswith("text/plain")  # it comes from outside, so it is no page


def test_notifications_are_signed(web: Client) -> None:
    mine, said = a_page(), change("permissions", PERSON, "pages_manage_posts", verb="revoke")
    assert tell(web, said, "guessed").status_code == 403
    body = json.dumps(said).encode()
    for header in ("", "sha256=", "sha1=" + hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest(), "sha256=é"):
        answer = web.post(
            "/hooks/meta/", body, content_type="application/json", headers={"X-Hub-Signature-256": header}
        )
        assert answer.status_code == 403
    assert reason(mine) == ""


@pytest.mark.parametrize("targets", [None, [PAGE, "1"], [int(PAGE)]])
def test_a_revoked_right_asks_to_connect_again(web: Client, targets: Any) -> None:
    mine = a_page()
    said = change("permissions", PERSON, "pages_manage_posts", verb="revoke", target_ids=targets)
    assert tell(web, said).status_code == 200
    assert reason(mine) == "access_removed"
    Account.objects.filter(pk=mine.pk).update(reconnect_reason="")
    assert tell(web, said).status_code == 200
    assert reason(mine) == ""


@pytest.mark.parametrize(
    "said",
    [
        change("permissions", PERSON, "pages_manage_posts", verb="granted"),
        change("permissions", "someone", "pages_manage_posts", verb="revoke"),
        change("permissions", PERSON, "pages_manage_posts", at=1, verb="revoke"),
        {"object": "permissions", "entry": [{"id": PERSON, "changes": [{"value": {"verb": "revoke"}}]}]},
        {"object": "user", "entry": "none"},
        {"entry": [1, {"changes": 2}, {"changes": [3, {"value": 4}]}]},
        {},
    ],
)
def test_other_notifications_change_nothing(web: Client, said: Any) -> None:
    mine = a_page()
    assert tell(web, said).status_code == 200
    assert reason(mine) == ""


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"\xff", b"[" * 100_000], ids=["none", "list", "cut", "no text", "deep"]
)
def test_a_signed_body_that_is_no_object_is_not_understood(web: Client, body: bytes) -> None:
    assert tell(web, body).status_code == 400


# A Page's video is out


def taken(page: Account, post_id: str, *, in_minutes: float = 10) -> Delivery:
    """A post that Facebook has taken and still works on; its job looks again later."""
    found = delivery(publish_now(draft(page)))
    live = [{"id": post_id, "url": "", "response": {}, "settled": False}]
    Delivery.objects.filter(pk=found.pk).update(live=live)
    Job.objects.filter(pk=job_of(found).pk).update(run_at=clock.now() + timedelta(minutes=in_minutes))
    return found


def due(of: Delivery) -> bool:
    return job_of(of).run_at <= clock.now()


@pytest.mark.parametrize("value", [{"item": "video", "video_id": "55"}, {"item": "status", "post_id": "55"}])
def test_news_of_a_post_has_it_looked_at_now(web: Client, value: dict[str, Any]) -> None:
    found, other = taken(a_page(), "55"), taken(a_page(page="99"), "55")
    assert tell(web, change("page", PAGE, "feed", verb="add", **value)).status_code == 200
    assert due(found)
    assert not due(other)


def test_a_post_that_waits_for_its_time_is_not_sent_earlier(web: Client) -> None:
    found = taken(a_page(), "55")
    Delivery.objects.filter(pk=found.pk).update(live=[], snapshot={"video": {"id": "55"}})
    assert tell(web, change("page", PAGE, "feed", verb="add", video_id="55")).status_code == 200
    assert not due(found)


def test_news_of_other_posts_and_of_likes_moves_nothing(web: Client) -> None:
    found = taken(a_page(), "55")
    tell(web, change("page", PAGE, "feed", verb="add", post_id="56"))
    tell(web, change("page", PAGE, "feed", verb="remove", post_id="55"))
    tell(web, change("page", PAGE, "mention", verb="add", post_id="55"))
    assert not due(found)
