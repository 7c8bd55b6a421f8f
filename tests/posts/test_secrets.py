"""Canaries: secrets that a platform quotes back in whatever it answers are found nowhere afterwards."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core import mail
from django.core.management import call_command

from posts import credentials
from posts.models import Account, Delivery, Post
from posts.services.accounts import ConnectFailed, connect_account
from posts.services.posts import publish_now, save_draft
from queue_app import exposition, metrics, runner, totals
from queue_app.doctor import examine
from queue_app.models import Attempt, Job, Notice, Total, TotalName
from queue_app.telling import send_now
from tests.posts.admin.pages import browser, list_of, page, person
from tests.posts.platforms.fake_bot_api import CHANNEL, TOKEN, FakeBotApi
from tests.posts.platforms.fake_pds import PASSWORD, FakePds
from tests.posts.platforms.fake_server import Answer, FakeServer, Seen
from tests.posts.rest.calling import Program

pytestmark = pytest.mark.django_db(transaction=True)

STATUSES = [200, 400, 401, 403, 404, 413, 418, 429, 500]
SENDING = ("/sendMessage", "putRecord")


class Echo:
    """Mixed into a fake: once ``status`` is set, what would publish is answered by all that was asked."""

    status = 0

    def handle(self, seen: Seen) -> Answer:
        if self.status and seen.path.endswith(SENDING):
            said = f"{seen.path} {seen.headers} {seen.body!r} {seen.headers.get('authorization', '')}"
            message = {"message_id": 7, "date": said}
            uri = {"uri": self._uri(seen), "cid": said} if "putRecord" in seen.path else {}
            body = {"ok": self.status == 200, "description": said, "message": said, "error": said, "result": message}
            return Answer(
                self.status, body | uri, {"Retry-After": "1", "X-Said": said.encode("ascii", "replace").decode()}
            )
        answer: Answer = super().handle(seen)  # type: ignore[misc]  # of the fake
        return answer

    def _uri(self, seen: Seen) -> str:
        asked = seen.json()
        return f"at://{asked['repo']}/{asked['collection']}/{asked['rkey']}"


class EchoBot(Echo, FakeBotApi):
    """Telegram."""


class EchoPds(Echo, FakePds):
    """Bluesky."""


@pytest.fixture(params=["telegram", "bluesky"])
def server(
    request: pytest.FixtureRequest, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Any]:
    settings.SOCIALQ = {**settings.SOCIALQ, "ALLOW_PRIVATE_NETWORKS": True}
    settings.MEDIA_ROOT = tmp_path
    settings.ADMINS = [("Ann", "ann@example.org")]
    monkeypatch.setattr(runner, "_worker", None)
    with (EchoBot if request.param == "telegram" else EchoPds)() as opened:
        yield opened


def connect(server: FakeServer) -> Account:
    if isinstance(server, FakePds):
        return connect_account("bluesky", {"identifier": "alice.test", "password": PASSWORD, "service": server.url})
    return connect_account("telegram", {"token": TOKEN, "chat": str(CHANNEL), "api_url": server.url})


def secrets_of(account: Account) -> list[str]:
    stored = credentials.unseal(account.uuid, account.sealed_credentials)
    return [PASSWORD, TOKEN, TOKEN.partition(":")[2], *stored.values()]


def every_page(account: Account) -> Iterator[tuple[str, str]]:
    """Yield (address, text) of each page that shows something of the delivery, its job and its account."""
    client = browser(person("boss", is_superuser=True))
    rows = [account, *Delivery.objects.all(), *Job.objects.all(), *Attempt.objects.all(), *Notice.objects.all()]
    rows += [delivery.post for delivery in Delivery.objects.select_related("post")]
    urls = [page(row, view) for row in rows for view in ("change", "history")] + [list_of(type(row)) for row in rows]
    for url in ["/admin/", "/outbox/", *urls]:
        yield url, client.get(url).content.decode()
    Total.objects.get_or_create(name=TotalName.POSITION, defaults={"counts": [0]})
    totals.catch_up()
    yield "/metrics", exposition.render(metrics.collect()).decode()
    yield "doctor", " ".join(map(str, examine(offline=True)))


def every_answer() -> Iterator[tuple[str, str]]:
    """Yield (address, text) of all that the API reads, to an administrator with every scope."""
    program = Program(User.objects.create_superuser("root"))
    rows = {"posts": Post, "deliveries": Delivery, "jobs": Job, "accounts": Account}
    paths = [f"{name}/{row.pk}" for name, kind in rows.items() for row in kind._default_manager.all()]
    for path in [
        *rows,
        *paths,
        "dead-letters",
        "queue/status",
        "admin/queue-stats",
        "media",
        "events?after=0&format=json",
    ]:
        answer = program.get(path)
        assert answer.status_code == 200
        yield f"/api/{path}", answer.content.decode()


@pytest.mark.parametrize("status", STATUSES)
def test_what_is_quoted_while_publishing_is_found_nowhere(
    server: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    account = connect(server)
    server.status = status
    post = publish_now(save_draft(post=None, owner=None, text="Hello", account_ids=[account.pk], media=[]))
    runner.run_due("default", "tests")
    assert Attempt.objects.filter(job__type="posts.publish").exists()
    send_now()
    account.refresh_from_db()
    out = StringIO()
    call_command("show_post", post.pk, "--json", stdout=out)
    call_command("show_post", post.pk, stdout=out)
    call_command("dumpdata", stdout=out)
    rows = [list(kind._default_manager.values()) for kind in apps.get_models()]
    places = {
        "rows": repr(rows),
        "commands": out.getvalue(),
        "log": caplog.text + "".join(str(vars(record)) for record in caplog.records),
        "mail": "".join(f"{message.subject} {message.body}" for message in mail.outbox),
        "repr": repr(account) + repr(vars(account)) + repr(post),
        **dict(every_page(account)),
        **dict(every_answer()),
    }
    found = {name for name, text in places.items() for secret in secrets_of(account) if secret in text}
    assert found == set()


@pytest.mark.parametrize("path", ["getMe", "getChat", "createSession"])
@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_what_is_quoted_while_connecting_is_not_told(server: Any, path: str, status: int) -> None:
    said = secret = PASSWORD if isinstance(server, FakePds) else TOKEN
    chat = {"id": CHANNEL, "type": "private", "title": said, "username": said}
    body = {"ok": status == 200, "description": said, "message": said, "error": said, "result": chat}
    session = {"did": "did:plc:" + "a" * 24, "handle": said, "accessJwt": "a" * 20, "refreshJwt": "b" * 20}
    server.fault(path, status=status, body=body | session)
    try:
        account = connect(server)
    except ConnectFailed as refused:
        told = str(refused) + repr(refused)
    else:
        told = account.name + json.dumps(account.config) + repr(list(Account.objects.values()))
    assert secret not in told
