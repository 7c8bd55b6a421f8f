"""Importing and exporting posts in the admin: the pages, the trial, the confirmation, who may, hostile files."""

from __future__ import annotations

import csv
import html
import re
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from posts.admin import importing
from posts.models import Post
from posts.services.posts import schedule_post
from tests.posts.admin.pages import EDITOR, PUBLISHER, VIEWER, browser, messages_of, person, value
from tests.posts.making import account, draft, edit

pytestmark = pytest.mark.django_db

IMPORT, EXPORT = "/admin/posts/post/import/", "/admin/posts/post/export/"
HOSTILE = "\"'><script>alert(1)</script>{{ 7|add:7 }}"
GOOD = "text,accounts,scheduled_at,timezone\nHello,Ada,2031-03-01 09:30,Asia/Tokyo\nLater,Ada,,\nBad,Nobody,,\n"


@pytest.fixture(autouse=True)
def one_portion(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, all rows are done in one portion."""
    monkeypatch.setattr(importing, "PORTION_SECONDS", 600)


@pytest.fixture
def grace() -> Client:
    account("Ada")
    return browser(person("grace", PUBLISHER))


def send(client: Client, content: str | bytes = GOOD, name: str = "posts.csv") -> Any:
    content = content.encode() if isinstance(content, str) else content
    return client.post(IMPORT, {"file": SimpleUploadedFile(name, content)})


def confirm(client: Client, trial: Any, **more: str) -> Any:
    return client.post(IMPORT, {"order": value(trial.content.decode(), "order"), **more})


def words(answer: Any) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())).split())


def rows(answer: Any) -> list[dict[str, str]]:
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(StringIO(text, newline="")))


def test_the_page_explains_every_column_and_has_an_example(grace: Client) -> None:
    text = words(grace.get(IMPORT))
    assert "text[account]" in text
    assert "At most 500 rows" in text
    example = grace.get(IMPORT, {"example": "1"})
    assert example["Content-Type"] == "text/csv; charset=utf-8"
    trial = send(grace, example.content)
    assert "2 rows are good" in words(trial)
    assert "Goes out on" in words(trial)


def test_a_trial_says_what_each_row_becomes_and_saves_nothing(grace: Client) -> None:
    said = words(send(grace))
    assert "2 rows are good" in said
    assert "1 is refused. Nothing is saved yet." in said
    assert "Row 2 OK Hello Goes out on Saturday, 1 March 2031, 09:30 (Asia/Tokyo, UTC+09:00): Ada on Outbox" in said
    assert "Row 3 OK Later Draft for Ada on Outbox" in said
    assert "Row 4 Refused Bad accounts There is no account “Nobody” that you can use" in said
    assert 'value="Import the 2 good rows"' in send(grace).content.decode()
    assert not Post.objects.exists()
    assert not LogEntry.objects.exists()


def test_confirming_makes_the_good_rows_and_reports(grace: Client) -> None:
    report = confirm(grace, send(grace))
    assert "2 posts were made, 1 row was refused" in words(report)
    assert "Row 4 Bad – accounts There is no account" in words(report)
    post = Post.objects.get(text="Hello")
    assert (post.status, post.scheduled_at) == ("scheduled", datetime(2031, 3, 1, 0, 30, tzinfo=UTC))
    assert post.owner is not None
    assert post.owner.get_username() == "grace"
    lines = list(LogEntry.objects.order_by("pk").values_list("object_id", "change_message"))
    assert lines[0] == (str(post.pk), "Imported from row 2 of a CSV file.")
    assert lines[-1][1].startswith("Imported 2 of 3 rows of a CSV file.")


def test_confirming_twice_makes_no_second_post_even_if_one_was_edited_since(grace: Client) -> None:
    trial = send(grace)
    confirm(grace, trial)
    Post.objects.update(form_token=None)  # as the composer does, which keeps a token of its own there
    edit(Post.objects.get(text="Later"), text="Edited", owner=None)
    again = confirm(grace, trial)
    assert again.status_code == 302
    assert "imported already" in messages_of(again)
    assert "You have imported this very file before" in words(send(grace))
    assert "this very file" not in words(send(grace, GOOD.replace("Hello", "Other")))
    assert Post.objects.count() == 2


def test_a_long_import_goes_on_in_portions(grace: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "PORTION_SECONDS", 0)
    answer = send(grace)
    assert "1 of 3 rows are tried; nothing is saved yet" in words(answer)
    for _portion in range(2):
        fields = {name: value(answer.content.decode(), name) for name in ("order", "stage", "so_far")}
        answer = grace.post(IMPORT, fields)
    trial = answer
    assert "2 rows are good" in words(trial)
    answer = confirm(grace, trial)
    assert "1 of 3 rows are imported" in words(answer)
    text = answer.content.decode()
    assert 'hx-trigger="load, submit"' in text
    assert '<progress max="3" value="1"' in text
    # The same portion once more, as an impatient person sends it.
    assert "1 of 3 rows are imported" in words(confirm(grace, trial))
    for _portion in range(2):
        answer = confirm(grace, trial, so_far=value(answer.content.decode(), "so_far"))
    assert "2 posts were made, 1 row was refused" in words(answer)
    assert Post.objects.count() == 2


def test_what_was_judged_is_judged_again(grace: Client) -> None:
    trial = send(grace)
    account("Ada")
    assert "2 accounts are called “Ada”" in words(confirm(grace, trial))
    assert not Post.objects.exists()


@pytest.mark.parametrize("order", ["", "x", "a:b:c"])
def test_an_altered_trial_is_refused(grace: Client, order: str) -> None:
    answer = grace.post(IMPORT, {"order": order})
    assert answer.status_code == 400
    assert "choose the file again" in words(answer)
    real = value(send(grace).content.decode(), "order")
    assert grace.post(IMPORT, {"order": real, "so_far": "x:y:z"}).status_code == 400
    assert grace.post(IMPORT, {"order": real[:-3] + "abc"}).status_code == 400


def test_a_trial_is_for_who_made_it(grace: Client) -> None:
    other = browser(person("other", PUBLISHER))
    assert confirm(other, send(grace)).status_code == 403
    assert not Post.objects.exists()


def test_only_who_may_write_imports_and_only_who_may_schedule_schedules(grace: Client) -> None:
    viewer, editor = browser(person("viewer", VIEWER)), browser(person("editor", EDITOR))
    assert send(viewer).status_code == 403
    assert viewer.get(IMPORT).status_code == 403
    assert "may not schedule posts" in words(send(editor))
    assert "1 post was made" in words(confirm(editor, send(editor)))
    assert Post.objects.get().status == "draft"
    strict = browser(person("strict", PUBLISHER), enforce_csrf_checks=True)
    assert send(strict).status_code == 403
    assert strict.post(IMPORT, {"order": value(send(grace).content.decode(), "order")}).status_code == 403


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"\0",
        b"text\n\xe4",
        b"name\nx",
        b"text" + b"\n" * 1000,
        b'"',
        b"x" * 1_000_001,
        b"text\n" * 600,
    ],
)
def test_any_file_is_answered_in_words(grace: Client, content: bytes) -> None:
    answer = send(grace, content)
    assert answer.status_code == 400
    assert 'class="errorlist"' in answer.content.decode()


def test_a_file_that_is_far_too_large_is_not_read(grace: Client) -> None:
    answer = send(grace, b"x" * 3_000_000)
    assert answer.status_code == 413
    assert "too large" in words(answer)
    assert grace.post(IMPORT, {}).status_code == 400
    assert grace.post(IMPORT, b"x", content_type="multipart/form-data; boundary=").status_code == 400


def test_hostile_texts_stay_texts(grace: Client) -> None:
    quoted = HOSTILE.replace('"', '""')
    content = f'text,accounts,"text[{quoted}]","{quoted}"\n"{quoted}","{quoted}","{quoted}",x\n"{quoted}",,,\n'
    trial = send(grace, content, f"{HOSTILE}.csv")
    report = confirm(grace, trial)
    for answer in (trial, report):
        text = answer.content.decode()
        assert "<script>alert" not in text
        assert ">14<" not in text
        assert "&lt;script&gt;alert" in text
        assert not re.search(r"<script(?![^>]*\bsrc=)", text)
        assert not re.search(r'\s(style|on\w+)="', text)


def test_the_export_has_what_the_list_has(grace: Client) -> None:
    mine = person("me", PUBLISHER)
    ada = account("Bob")
    waiting = draft(ada, owner=mine, text="Waiting")
    schedule_post(waiting, at=datetime(2031, 1, 1, tzinfo=UTC))
    draft(ada, owner=mine, text="=draft")
    draft(ada, owner=person("other"), text="not mine")
    client = browser(mine)
    answer = client.get(EXPORT)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer["Content-Disposition"]
    assert [row["text"] for row in rows(answer)] == ["'=draft", "Waiting"]
    assert [row["text"] for row in rows(client.get(EXPORT, {"status__exact": "scheduled"}))] == ["Waiting"]
    assert [row["text"] for row in rows(client.get(EXPORT, {"q": "draft"}))] == ["'=draft"]
    assert client.get(EXPORT, {"owner__password__startswith": "a"}).status_code == 400
    assert client.post(EXPORT).status_code == 405


def test_the_list_leads_to_both_and_the_export_keeps_its_filters(grace: Client) -> None:
    text = html.unescape(
        grace.get("/admin/posts/post/", {"status__exact": "draft", "q": "x", "p": "1"}).content.decode()
    )
    assert f'href="{IMPORT}"' in text
    assert f'href="{EXPORT}?status__exact=draft&q=x"' in text
    viewer = browser(person("viewer", VIEWER)).get("/admin/posts/post/").content.decode()
    assert f'href="{IMPORT}"' not in viewer
    assert f'href="{EXPORT}"' in viewer
