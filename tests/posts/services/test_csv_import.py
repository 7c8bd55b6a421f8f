"""Posts from CSV rows: how the file is read, what a row means, that a trial keeps nothing and none is made twice."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from posts.models import Delivery, Post, Tag
from posts.services.csv_import import CsvImport, Verdict
from posts.services.csv_reading import decoded, read_table
from posts.services.errors import ValidationFailed
from posts.services.posts import save_draft
from queue_app.models import Job
from tests.posts.making import account, draft, picture, user

pytestmark = pytest.mark.django_db(transaction=True)

WRITES = ("add_post", "change_post", "schedule_post")
TOKEN = uuid.UUID("6f1c8c2e-52d5-4c0b-9d55-0a7a2b8f6f10")


@pytest.fixture
def grace() -> User:
    return user("grace", may=WRITES)


def reading(text: str, person: User | None, zone: str = "Europe/Berlin") -> CsvImport:
    return CsvImport(read_table(text), person, zone)


def tried(text: str, person: User | None = None) -> list[Verdict]:
    return reading(text, person).try_rows()


def one(header: str, row: str, person: User | None = None) -> Verdict:
    (verdict,) = tried(f"{header}\n{row}\n", person)
    return verdict


def imported(text: str, person: User | None, token: uuid.UUID = TOKEN) -> list[Verdict]:
    work = reading(text, person)
    return [work.import_row(row, token) for row in work.table.rows]


def said(findings: Sequence[Any]) -> list[tuple[str, str]]:
    return [(found.field, found.message) for found in findings]


# --- The file -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_separator_and_the_mark_are_found(delimiter: str, mark: str) -> None:
    content = f'{mark}Text{delimiter}Tags\r\n"Hello; you, there"{delimiter}a\r\n'.encode()
    table = read_table(decoded(content))
    assert table.columns == ("text", "tags")
    assert [(row.number, dict(row.cells)) for row in table.rows] == [(2, {"text": "Hello; you, there", "tags": "a"})]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "names no column"),
        (b"\xff\xfet\x00", "not UTF-8"),
        (b"text\n\xe4", "Line 2 is not UTF-8"),
        (b"name,price\nx,1", "names no column"),
        (b"text\n\n", "no row below"),
        (b"text,Text\na,b", "text is there twice"),
        (b'text\n"open', "Line 2 cannot be read"),
        (b'text\n"a"b', "cannot be read"),
        (b"text\n" + b'"' + b"x" * 140_000 + b'"', "cannot be read"),
        (b"text" + b",x" * 300 + b"\na", "more than 200 columns"),
        (b"text\n" + b"a\n" * 501, "At most 500 rows"),
        (b"x" * 1_000_001, "1,000,001 bytes, at most 1,000,000"),
    ],
)
def test_what_is_no_table_of_posts_is_refused_with_the_reason(content: bytes, why: str) -> None:
    with pytest.raises(ValidationFailed, match=why):
        read_table(decoded(content))


def test_unknown_columns_and_rows_that_are_too_long_are_told() -> None:
    table = read_table("text,colour,price\na,red,1\n\nb,c,d,e\n")
    assert "colour, price" in table.notes[0]
    assert [row.number for row in table.rows] == [2, 4]
    assert [bool(row.problem) for row in table.rows] == [False, True]


# --- What a row means -----------------------------------------------------------------------------------------------


def test_a_full_row_becomes_a_scheduled_post(grace: User) -> None:
    ada, bob = account("Ada"), account("Bob; and co", owner=grace)
    cat, dog = picture("cat.jpg", owner=grace), picture("dog.jpg")
    text = (
        "text,accounts,scheduled_at,timezone,status,tags,media,alt_text,language,text[Ada]\n"
        f'"Hello\nall",outbox:ada; {bob.pk},2031-03-01 09:30,Asia/Tokyo,scheduled,news; Big sale,'
        f"cat.jpg; {dog.pk},A cat | A dog,en,'=1+1\n"
    )
    (verdict,) = tried(text, grace)
    assert (said(verdict.problems), said(verdict.warnings)) == ([], [])
    assert verdict.made == (
        "Goes out on Saturday, 1 March 2031, 09:30 (Asia/Tokyo, UTC+09:00): "
        "Ada on Outbox, Bob; and co on Outbox; 2 files"
    )
    (made,) = imported(text, grace)
    post = Post.objects.get(pk=made.post_id)
    assert (post.text, post.status, post.language, post.owner) == ("Hello\nall", "scheduled", "en", grace)
    assert post.scheduled_at == datetime(2031, 3, 1, 0, 30, tzinfo=UTC)
    assert (post.wall_time, post.timezone) == ("2031-03-01T09:30:00", "Asia/Tokyo")
    assert list(post.tags.values_list("name", flat=True)) == ["big sale", "news"]
    assert list(post.post_media.values_list("media", "alt_text")) == [(cat.pk, "A cat"), (dog.pk, "A dog")]
    texts = dict(post.deliveries.values_list("account", "text_override"))
    assert texts == {ada.pk: "=1+1", bob.pk: None}
    assert Job.objects.filter(delivery__post=post).count() == 2


def test_without_a_time_it_is_a_draft_and_without_an_account_that_is_told() -> None:
    verdict = one("text", "Hello")
    assert verdict.made == "Draft without an account"
    assert said(verdict.warnings) == [("accounts", "It has no account yet")]


@pytest.mark.parametrize(
    ("header", "row", "column", "why"),
    [
        ("text,accounts", "a,Nobody", "accounts", "no account “Nobody”"),
        ("text,accounts", "a,Twin", "accounts", "2 accounts are called “Twin”; write the number"),
        ("text,accounts", "a,999999", "accounts", "no account “999999”"),
        ("text,media", "a,none.jpg", "media", "no file “none.jpg”"),
        ("text,media", "a,twin.jpg", "media", "2 files are called “twin.jpg”"),
        ("text,media", "a,gone.jpg", "media", "no file “gone.jpg”"),
        ("text,media,alt_text", "a,cat.jpg;dog.jpg,x|y|z", "alt_text", "3 alt texts, for 2 files"),
        ("text,text[Ada]", "a,b", "text[Ada]", "does not go out there"),
        ("text,text[Nobody]", "a,b", "text[Nobody]", "no account"),
        ("text,thread", "a,always", "thread", "no way to split"),
        ("text,status", "a,soon", "status", "no status"),
        ("text,status", "a,scheduled", "scheduled_at", "needs a time"),
        ("text,accounts,scheduled_at", "a,Ada,tomorrow", "scheduled_at", "not a date and time"),
        ("text,accounts,scheduled_at", "a,Ada,2020-01-01 10:00", "scheduled_at", "in the past"),
        ("text,accounts,scheduled_at", "a,Ada,2031-03-30 02:30", "scheduled_at", "does not exist in Europe/Berlin"),
        ("text,accounts,scheduled_at", "a,Ada,2031-10-26 02:30", "scheduled_at", "happens twice"),
        ("text,accounts,scheduled_at,timezone", "a,Ada,2031-03-01 10:00,Mars", "timezone", "not a time zone"),
        ("text,timezone", "a,Mars", "timezone", "not a time zone"),
        ("text,scheduled_at", "a,2031-03-01 10:00", "accounts", "no account to go out on"),
        ("text,language", "a,klingonese!", "language", "not a language"),
        ("text,tags", f"a,{'x' * 60}", "tags", "the most is 50"),
        ("text,accounts,scheduled_at", f"{'x' * 90_000},Ada,2031-03-01 10:00", "text", "limit is"),
        ("text", "a\0b", "text", "cannot be stored"),
    ],
)
def test_a_row_is_refused_with_its_column_and_the_reason(header: str, row: str, column: str, why: str) -> None:
    account("Ada")
    account("Twin")
    account("Twin")
    for name in ("cat.jpg", "dog.jpg", "twin.jpg", "twin.jpg"):
        picture(name)
    picture("gone.jpg", file_deleted_at=datetime(2026, 1, 1, tzinfo=UTC))
    verdict = one(header, row)
    assert not verdict.is_good
    assert verdict.problems[0].field == column
    assert why in verdict.problems[0].message


def test_an_offset_says_which_of_two_equal_times_is_meant() -> None:
    account("Ada")
    verdict = one("text,accounts,scheduled_at,timezone", "a,Ada,2031-10-26T02:30+01:00,Europe/Berlin")
    assert "26 October 2031, 02:30 (Europe/Berlin, UTC+01:00)" in verdict.made


@pytest.mark.parametrize("status", ["published", "failed", "partially_published", "Needs review"])
def test_what_was_out_elsewhere_becomes_a_draft(status: str) -> None:
    account("Ada")
    verdict = one("text,accounts,scheduled_at,status", f"a,Ada,2020-01-01 10:00,{status}")
    assert verdict.made == "Draft for Ada on Outbox"
    assert "becomes a draft" in verdict.warnings[0].message


def test_numbers_and_names_of_files_must_agree() -> None:
    cat = picture("cat.jpg")
    odd = picture("7:odd.jpg")
    assert one("text,media", f"a,{cat.pk}:cat.jpg").is_good
    assert not one("text,media", f"a,{cat.pk}:dog.jpg").is_good
    assert one("text,media", f"a,{odd.original_name}").is_good


def test_the_alt_text_of_one_file_is_taken_as_it_is() -> None:
    picture("cat.jpg")
    (made,) = imported("text,media,alt_text\na,cat.jpg,left | right\n", None)
    assert Post.objects.get(pk=made.post_id).post_media.get().alt_text == "left | right"


# --- A trial keeps nothing, an import keeps each row once -------------------------------------------------------------


def test_a_trial_keeps_nothing(grace: User) -> None:
    account("Ada")
    verdicts = tried("text,accounts,scheduled_at,tags\na,Ada,2031-01-01 10:00,new\nb,Nobody,,\n", grace)
    assert [verdict.is_good for verdict in verdicts] == [True, False]
    assert [kind.objects.count() for kind in (Post, Delivery, Job, Tag)] == [0, 0, 0, 0]


def test_each_row_is_a_transaction_of_its_own(grace: User) -> None:
    account("Ada")
    text = "text,accounts,scheduled_at\na,Ada,2031-01-01 10:00\nb,Ada,2020-01-01 10:00\nc,Ada,\n"
    assert [bool(verdict.post_id) for verdict in imported(text, grace)] == [True, False, True]
    assert list(Post.objects.order_by("pk").values_list("text", "status")) == [("a", "scheduled"), ("c", "draft")]


def test_what_happens_beside_a_row_is_undone_with_it(grace: User) -> None:
    work = reading("text\na\n", grace)

    def fail(post: Post) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        work.import_row(work.table.rows[0], TOKEN, fail)
    assert not Post.objects.exists()


def test_the_same_import_makes_no_second_post(grace: User) -> None:
    text = "text\na\nb\n"
    first = imported(text, grace)
    again = imported(text, grace)
    assert [verdict.post_id for verdict in again] == [verdict.post_id for verdict in first]
    assert [verdict.is_new for verdict in again] == [False, False]
    imported(text, grace, uuid.uuid4())
    assert Post.objects.count() == 4


def test_rows_that_say_the_same_and_posts_that_do_are_warned_of(grace: User) -> None:
    ada = account("Ada")
    imported("text,accounts,scheduled_at\nstored,Ada,2031-01-01 10:00\n", grace)
    text = (
        "text,accounts,scheduled_at\n"
        "a,Ada,2031-01-01 10:00\n"
        "a,Ada,2031-01-01 10:00\n"
        "a,Ada,2031-01-01 11:00\n"
        "stored,Ada,2031-01-01 10:00\n"
    )
    found = [[message for _field, message in said(verdict.warnings)] for verdict in tried(text, grace)]
    assert found[0] == found[2] == []
    assert found[1] == ["It is the same as row 2"]
    assert found[3] == [f"Post {Post.objects.get().pk} has this text and this time already"]
    assert ada.deliveries.count() == 1


def test_people_name_only_what_is_theirs_and_do_only_what_they_may(grace: User) -> None:
    other = user("other")
    hers, file = account("Hers", owner=other), picture("hers.jpg", owner=other)
    for header, value in (("accounts", "Hers"), ("accounts", hers.pk), ("media", "hers.jpg"), ("media", file.pk)):
        assert "that you can use" in one(f"text,{header}", f"a,{value}", grace).problems[0].message
    account("Ada")
    writer = user("writer", may=("add_post",))
    (verdict,) = imported("text,accounts,scheduled_at\na,Ada,2031-01-01 10:00\n", writer)
    assert "may not schedule posts" in verdict.problems[0].message
    assert not Post.objects.exists()
    (verdict,) = imported("text,accounts\na,Ada\n", writer)
    assert verdict.is_good


def test_accounts_and_files_are_read_once_for_all_rows(grace: User) -> None:
    for number in range(30):
        account(f"A{number}")
        picture(f"{number}.jpg")
    rows = [f"text {number},A{number},{number}.jpg" for number in range(30)]

    def asked(number: int) -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            tried("\n".join(["text,accounts,media", *rows[:number]]), grace)
        return len(queries)

    few, many = asked(10), asked(30)
    assert (many - few) / 20 < 45
    assert abs((many - few) / 20 - (few / 10)) < 2


def test_a_post_of_the_composer_is_no_row_of_an_import(grace: User) -> None:
    draft(account("Ada"), owner=grace)
    save_draft(post=None, owner=grace, text="x", account_ids=[], media=[])
    assert imported("text\na\n", grace)[0].is_new


def test_a_time_with_a_part_of_a_second_is_a_time() -> None:
    account("Ada")
    verdict = one("text,accounts,scheduled_at", "hello,Ada,2030-05-01T08:00:00.5")
    assert verdict.problems == []
    assert "08:00" in verdict.made


@pytest.mark.parametrize("column", ["media", "accounts", "tags", "language", "timezone", "first_comment"])
def test_a_sign_that_no_database_keeps_is_a_problem_of_its_row(column: str) -> None:
    account("Ada")
    verdict = one(f"text,{column}", "hello,a\0b")
    assert verdict.problems
