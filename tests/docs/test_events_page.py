"""docs/events.md is true: its names are those of the code, its lines answer, its receiver believes what we send."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_httpserver import HTTPServer

from posts import conf as posts_conf
from posts.jobs.events import SEND_RETRY
from posts.services.endpoints import KNOWN, create_endpoint
from posts.services.forwarding import AGAIN_SECONDS
from posts.services.sending import TIMEOUT_SECONDS, send_test
from queue_app import conf, events, keys
from queue_app.models import Event
from tests.posts.hearing import Receiver
from tests.posts.making import account, draft
from tests.site import ROOT

PAGE = (ROOT / "docs" / "events.md").read_text()
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]


def blocks(kind: str) -> list[str]:
    return [text for found, text in BLOCK.findall(PAGE) if found == kind]


def run(block: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(block, names)  # noqa: S102 -- our own page
    return names


def test_every_event_and_every_figure_is_told() -> None:
    table = PAGE[PAGE.index("## The names") : PAGE.index("## From Python")]
    assert [name for name in KNOWN if f"`{name}`" not in table] == []
    for table_of, name in (
        (conf, "LISTENER_HEARTBEAT_SECONDS"),
        (conf, "MAX_LISTENERS"),
        (posts_conf, "WEBHOOK_OFF_AFTER_DAYS"),
    ):
        assert f"`SOCIALQ_{name}` ({table_of.SETTINGS[name].default:g})" in PAGE
    assert f"`SOCIALQ_LISTENER_MINUTES` ({conf.SETTINGS['LISTENER_SECONDS'].default // 60})" in PAGE
    assert (AGAIN_SECONDS, *SEND_RETRY.steps) == (5, 300, 1800, *(hours * 3600 for hours in (2, 5, 10, 14, 20, 24)))
    assert f"longer than {TIMEOUT_SECONDS}\n" in PAGE


def test_what_is_shown_of_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    post = draft(account())
    events.record("post.failed", {"post_id": post.pk})
    follow, signal, record, _receiver = blocks("python")
    run(follow)
    assert capsys.readouterr().out.endswith(f" post.failed {post.pk}\n")
    kept = run(signal)  # a signal does not keep who listens
    events.record("post.failed", {"post_id": 4711})
    assert capsys.readouterr().out == "4711\n"
    run(record)
    assert "tell_the_desk" in kept
    assert Event.objects.get(name="shop.sold").data == {"sku": 7}


def test_the_lines_of_curl_answer() -> None:
    ada = User.objects.create_superuser("ada")
    key = keys.create_key(ada, name="Script", scopes=["read"])[1]
    draft(account())
    for line in (line for block in blocks("sh") for line in block.splitlines()):
        words = shlex.split(line.replace("$KEY", key).replace("$SITE", ""))
        url = next(word for word in words if word.startswith("/api/"))
        headers = dict(words[place + 1].split(": ") for place, word in enumerate(words) if word == "-H")
        answer = Client().get(url, headers=headers)
        assert answer.status_code == 200, line
        assert ("-N" in words) == answer.streaming
        answer.close()


def test_the_receiver_of_the_page_believes_what_is_sent_and_nothing_else(httpserver: HTTPServer, settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "ALLOW_PRIVATE_NETWORKS": True}
    receiver = Receiver(httpserver)
    found, secret = create_endpoint(User.objects.create_superuser("ada"), name="Desk", url=receiver.url)
    assert send_test(found).arrived
    code = run(blocks("python")[-1])
    headers = {name.lower(): value for name, value in receiver.seen[0].headers.items()}
    body = receiver.seen[0].data
    assert code["verified"](body, headers, secret)["type"] == "socialq.test"
    old = {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 301)}
    for wrong in ((body + b" ", headers, secret), (body, headers, "whsec_" + "A" * 44), (body, old, secret)):
        with pytest.raises(ValueError, match=r"too old|not signed"):
            code["verified"](*wrong)
