"""What TikTok tells this site: believed only when it is signed, just now, for this app."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from posts.models import Account, Delivery, PlatformEvent, Post
from posts.services.posts import publish_now
from queue_app import clock
from queue_app.models import Job
from queue_app.states import JobState
from tests.posts.making import account, delivery, draft, job_of, unsettled

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

SECRET = "the-apps-secret"
USER = "act.example12345"


@pytest.fixture(autouse=True)
def app(settings: Any) -> None:
    tiktok = {"CLIENT_ID": "client-key-1", "CLIENT_SECRET": SECRET}
    settings.SOCIALQ = {**settings.SOCIALQ, "PLATFORMS": {"tiktok": tiktok}}


@pytest.fixture
def web() -> Client:
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def user() -> Account:
    made = account("Ada", "tiktok", identity_id=USER)
    Account.objects.filter(pk=made.pk).update(updated_at=clock.now() - timedelta(minutes=1))
    return made


def seconds_ago(seconds: float = 0) -> int:
    return int((clock.now() - timedelta(seconds=seconds)).timestamp())


def notice(event: str, content: Any = "{}", **said: Any) -> dict[str, Any]:
    said = {"client_key": "client-key-1", "create_time": seconds_ago(), "user_openid": USER} | said
    return {"event": event, "content": content} | said


def tell(web: Client, said: Any, *, secret: str = SECRET, age_seconds: float = 0, header: str | None = None) -> int:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    at = seconds_ago(age_seconds)
    signature = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"TikTok-Signature": f"t={at},s={signature}" if header is None else header}
    return web.post("/hooks/tiktok/", body, content_type="application/json", headers=headers).status_code


def reason(of: Account) -> str:
    return Account.objects.get(pk=of.pk).reconnect_reason


def on(user: Account, post: Post) -> Delivery:
    """The post's delivery, as one of TikTok's, whether or not this site publishes there."""
    found = delivery(post)
    Delivery.objects.filter(pk=found.pk).update(account=user)
    return delivery(post)


REMOVED = "authorization.removed"


def test_a_user_who_removed_the_app_must_connect_again(web: Client, user: Account) -> None:
    other = account("Bea", "tiktok", identity_id="act.other")
    said = notice(REMOVED, '{"reason": 1}')
    assert tell(web, said) == 200
    assert reason(user) == "access_removed"
    assert reason(other) == ""
    Account.objects.filter(pk=user.pk).update(reconnect_reason="")
    assert tell(web, said) == 200  # sent again, for its answer was lost
    assert reason(user) == ""
    assert PlatformEvent.objects.get().kind == REMOVED


def test_a_login_that_was_renewed_since_then_stays(web: Client, user: Account) -> None:
    assert tell(web, notice(REMOVED, create_time=seconds_ago(3600))) == 200
    assert reason(user) == ""


@pytest.mark.parametrize("age_seconds", [301, 3600, -301])
def test_what_was_signed_long_ago_is_not_believed(web: Client, user: Account, age_seconds: float) -> None:
    assert tell(web, notice(REMOVED), age_seconds=age_seconds) == 403
    assert tell(web, notice(REMOVED), age_seconds=290 if age_seconds > 0 else -290) == 200


def test_what_tiktok_has_not_signed_is_not_believed(web: Client, user: Account) -> None:
    assert tell(web, notice(REMOVED), secret="guessed") == 403
    at = seconds_ago()
    for header in ("", "t=1", f"t={at}", f"t={at},s=", f"s={'0' * 64}", f"t=é,s={'0' * 64}", f"t={at},s=é", "t=,s="):
        assert tell(web, notice(REMOVED), header=header) == 403
    assert tell(web, notice(REMOVED, client_key="another-app")) == 403
    assert reason(user) == ""


def test_without_an_app_nothing_is_believed(web: Client, settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "PLATFORMS": {}}
    assert tell(web, notice(REMOVED, client_key=""), secret="") == 403


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"event": 1}', b"\xff", b"[" * 100_000],
    ids=["none", "list", "empty", "number", "no text", "deep"],
)
def test_a_signed_body_of_another_kind_is_not_understood(web: Client, body: bytes) -> None:
    assert tell(web, body) == 400


def test_a_large_body_is_not_read(web: Client) -> None:
    assert tell(web, b" " * 300_000) == 400
    assert web.get("/hooks/tiktok/").status_code == 405


def test_an_event_of_no_concern_is_heard(web: Client, user: Account) -> None:
    for said in (
        notice("portability.download.ready"),
        notice(REMOVED, user_openid="", create_time=None),
        notice("post.publish.complete", "no json"),
        notice("post.publish.complete", 7),
    ):
        assert tell(web, said) == 200
    assert not PlatformEvent.objects.exists()


@pytest.mark.parametrize("event", ["complete", "completed", "failed", "publicly_available"])
def test_news_of_a_post_has_it_looked_at_now(web: Client, user: Account, event: str) -> None:
    found = on(user, publish_now(draft(account("Ada"))))
    live = [{"id": "v_pub_file~1", "url": "", "response": {}, "settled": False}]
    Delivery.objects.filter(pk=found.pk).update(live=live)
    Job.objects.filter(pk=job_of(found).pk).update(run_at=clock.now() + timedelta(minutes=10))
    assert tell(web, notice(f"post.publish.{event}", '{"publish_id": "v_pub_file~2"}')) == 200
    assert job_of(found).run_at > clock.now()
    content = {"publish_id": "v_pub_file~1", "publish_type": "DIRECT_POST"}
    assert tell(web, notice(f"post.publish.{event}", json.dumps(content))) == 200
    assert job_of(found).run_at <= clock.now()


def test_news_of_a_post_of_which_nobody_could_tell_has_it_looked_up(web: Client, user: Account) -> None:
    found = on(user, unsettled(account("Ada")))
    Delivery.objects.filter(pk=found.pk).update(snapshot={"parts": [{"publish_id": "v_pub_file~1"}]})
    assert not looks(found)
    assert tell(web, notice("post.publish.complete", '{"publish_id": "v_pub_file~1"}')) == 200
    assert looks(found)


def looks(found: Delivery) -> bool:
    """Whether a look-up of the delivery's job waits to run."""
    key = f"reconcile:{job_of(found).pk}"
    return Job.objects.filter(unique_key=key, state=JobState.PENDING, run_at__lte=clock.now()).exists()
