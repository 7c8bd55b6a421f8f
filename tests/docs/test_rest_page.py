"""docs/rest.md is true: its lines do what it says, and its tables are those of the code."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from posts.models import Post, PostStatus
from posts.rest.schemas import PostIn
from queue_app import keys
from tests.posts.making import account
from tests.site import ROOT

PAGE = (ROOT / "docs" / "rest.md").read_text()
LINES = [
    line for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL) for line in block.splitlines()
]
pytestmark = [pytest.mark.django_db, pytest.mark.one_database]


def curl(line: str, secret: str) -> Any:
    """Do what curl would, with the test client."""
    words = iter(shlex.split(line.replace("$KEY", secret).replace("$SITE", ""))[1:])
    method, url, body, headers = "GET", "", "", {}
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = next(words)
        else:
            url = word
    kind = headers.pop("Content-Type", "")
    return Client().generic(method, url, body, content_type=kind, headers=headers)


def test_the_lines_do_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    User.objects.create_superuser("ada")
    account("Ada", pk=1)
    first, *others = LINES
    call_command(*shlex.split(first)[2:])
    secret = capsys.readouterr().out.strip()
    answers = []
    for line in others:
        # The page's own post has the id 1; the database counts on.
        newest = Post.objects.order_by("-pk").values_list("pk", flat=True).first()
        answers.append(curl(line.replace("/posts/1", f"/posts/{newest}"), secret))
    assert [answer.status_code for answer in answers] == [201, 200, 200, 200, 200, 200, 200, 200, 200, 201]
    made, _read, listed, tried, moved, taken_back, sent, cancelled, deleted, queued = (each.json() for each in answers)
    assert made["status"] == "SCHEDULED"
    assert [post["id"] for post in listed["items"]] == [made["id"]]
    assert tried["valid"] is False
    assert moved["scheduled_at"] == "2030-07-02T07:30:00Z"
    assert (taken_back["status"], sent["status"]) == ("DRAFT", "SCHEDULED")
    assert (cancelled["cancelled"], deleted["job_removed"]) == (True, False)
    assert len(queued["job_ids"]) == 1
    assert Post.objects.get().status == PostStatus.SCHEDULED


def test_the_page_names_every_field_and_every_scope() -> None:
    fields = PAGE[PAGE.index("## What a post takes") : PAGE.index("## What is refused")]
    assert [name for name in PostIn.model_fields if f"`{name}`" not in fields] == []
    assert re.findall(r"^\| `(\w+)` \| (?!.*`)", PAGE, re.MULTILINE)[:4] == list(keys.SCOPES)
