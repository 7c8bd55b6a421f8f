"""The API as programs meet it: what it tells, whom it lets in, and how it refuses."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from posts.models import Delivery
from queue_app import clock, keys
from tests.posts.admin.pages import EDITOR, VIEWER, browser, person
from tests.posts.making import REJECTED, account, draft, sent

pytestmark = pytest.mark.django_db
READER = (*VIEWER, "queue_app.view_job")


def key_of(user: User, **fields: Any) -> str:
    return keys.create_key(user, **{"name": "Script", "scopes": ["read"], **fields})[1]


def ask(path: str, secret: str = "", **options: Any) -> Any:
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    return Client().get(f"/api/{path}", headers=headers, **options)


def test_tells_of_a_delivery_what_its_page_says() -> None:
    user = person("ada", READER)
    post = sent(account("Ada"), outcome=REJECTED, owner=user)
    delivery = post.deliveries.select_related("job").get()
    for answer in (ask(f"deliveries/{delivery.pk}", key_of(user)), browser(user).get(f"/api/deliveries/{delivery.pk}")):
        assert answer.status_code == 200
        found = answer.json()
        assert (found["state"], found["label"], found["attempts"]) == ("failed", "Failed", 1)
        assert found["explanation"] == "Failed: Outbox refused the post."
        assert found["next_step"]
        assert (found["post"], found["job"], found["account"]["name"]) == (post.pk, delivery.job_id, "Ada")
        assert "no-store" in answer["Cache-Control"]


def test_tells_of_a_post_with_its_deliveries_and_of_a_job_without_arguments() -> None:
    user = person("ada", READER)
    post = sent(account("Ada"), account("Bob"), owner=user)
    told = ask(f"posts/{post.pk}", key_of(user)).json()
    assert (told["state"], told["label"], told["text"]) == ("published", "Published", "Hello")
    assert [each["account"]["name"] for each in told["deliveries"]] == ["Ada", "Bob"]
    assert told["deliveries"][0]["url"] == "https://outbox.example/1"
    job = post.deliveries.first().job
    told = ask(f"jobs/{job.pk}", key_of(user)).json()
    assert (told["id"], told["state"], told["attempts"]) == (job.pk, "completed", 1)
    assert "args" not in told


@pytest.mark.parametrize("kind", ["posts", "deliveries", "jobs"])
def test_a_stranger_is_told_how_to_come_in(kind: str) -> None:
    answer = ask(f"{kind}/1")
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert json.loads(answer.content)["status"] == 401


def test_a_key_that_does_not_work_is_refused_even_beside_a_session() -> None:
    user = person("ada", READER)
    secret = key_of(user)
    revoked, _row = key_of(user), keys.revoke_key(keys.visible_keys(user).latest("pk"))
    for wrong in (secret[:-1] + ("a" if secret[-1] != "a" else "b"), revoked, "sq_", "é", "x" * 5000):
        answer = browser(user).get("/api/posts/1", headers={"Authorization": f"Bearer {wrong}"})
        assert answer.status_code == 401, wrong
    assert browser(user).get("/api/posts/1", headers={"Authorization": "Basic YTpi"}).status_code == 401
    assert ask("posts/1", secret).status_code == 404


def test_a_key_may_do_what_its_user_may_and_no_more() -> None:
    user, other = person("ada", VIEWER), person("bob", VIEWER)
    post = draft(account("Ada"), owner=other)
    delivery = Delivery.objects.get()
    secret = key_of(user)
    assert ask(f"posts/{post.pk}", secret).status_code == 404
    assert ask(f"deliveries/{delivery.pk}", secret).status_code == 404
    assert ask("jobs/1", secret).status_code == 403
    assert ask(f"posts/{post.pk}", key_of(other)).status_code == 200
    assert ask("posts/1", key_of(person("nobody"))).status_code == 403
    User.objects.filter(pk=other.pk).update(is_active=False)
    assert ask(f"posts/{post.pk}", key_of(other)).status_code == 401


def test_a_key_ends_when_it_said() -> None:
    user = person("ada", VIEWER)
    secret = key_of(user, expires_at=clock.now() + timedelta(days=1))
    assert ask("posts/1", secret).status_code == 404
    keys.visible_keys(user).update(expires_at=clock.now())
    assert ask("posts/1", secret).status_code == 401


def test_a_key_without_the_scope_is_told_which_it_lacks() -> None:
    user = person("ada", VIEWER)
    secret = key_of(user)
    keys.visible_keys(user).update(scopes=[])
    answer = ask("posts/1", secret)
    assert answer.status_code == 403
    assert "read" in answer.json()["detail"]


def test_hostile_ids_addresses_and_methods_are_answered_as_programs_expect() -> None:
    secret = key_of(person("ada", EDITOR))
    assert ask(f"posts/{'9' * 60}", secret).status_code == 404
    assert ask("posts/x", secret)["Content-Type"] == "application/problem+json"
    answer = Client(enforce_csrf_checks=True).post("/api/posts/1", headers={"Authorization": f"Bearer {secret}"})
    assert (answer.status_code, answer["Allow"]) == (405, "DELETE, GET, HEAD, PATCH")
