"""The old queue manager's jobs: what waits is scheduled, the rest is history, each once, and a trial keeps nothing."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from posts.models import Delivery, Media, Post
from queue_app import clock
from queue_app.models import Event, Job
from tests.posts.making import account, user
from tests.posts.media.pictures import encoded, quarters

pytestmark = pytest.mark.django_db(transaction=True)

PNG = encoded(quarters(), "PNG")
COLUMNS = (
    "id INTEGER PRIMARY KEY, platform TEXT, media_info TEXT, caption TEXT, scheduled_time TEXT, status TEXT, "
    "attempts INTEGER, error TEXT, post_url TEXT, created_at TEXT, updated_at TEXT, completed_at TEXT"
)
SOON = (datetime.now(UTC) + timedelta(days=3)).replace(microsecond=0)
Make = Callable[..., Path]


@pytest.fixture
def old(settings: Any, tmp_path: Path) -> Make:
    """Return what makes the old system's file of rows, given as dictionaries."""
    settings.MEDIA_ROOT = tmp_path / "media"
    (tmp_path / "old" / "pictures").mkdir(parents=True)
    (tmp_path / "old" / "pictures" / "cat.png").write_bytes(PNG)

    def make(*rows: dict[str, Any], columns: str = COLUMNS) -> Path:
        path = tmp_path / "old" / "jobs.db"
        with sqlite3.connect(path) as file:
            file.execute("PRAGMA journal_mode = WAL")
            file.execute(f"CREATE TABLE jobs ({columns})")
            for row in rows:
                marks = ", ".join("?" * len(row))
                file.execute(f"INSERT INTO jobs ({', '.join(row)}) VALUES ({marks})", list(row.values()))
        file.close()
        return path

    return make


def run(path: Path, *options: str, fails: bool = False) -> str:
    out = StringIO()
    with pytest.raises(CommandError) if fails else nullcontext() as refusal:
        call_command("import_legacy", str(path), *options, stdout=out, stderr=StringIO())
    return out.getvalue() + (str(refusal.value) if refusal is not None else "")


def waiting(**fields: Any) -> dict[str, Any]:
    row = {"platform": "outbox", "status": "pending", "caption": "Hello", "scheduled_time": SOON.isoformat()}
    return row | fields


def test_what_waits_is_scheduled_and_the_rest_is_history(old: Make) -> None:
    ada, bea = account("Ada"), account("Bea")
    path = old(
        waiting(media_info=json.dumps({"type": "photo", "file_path": "pictures/cat.png"})),
        waiting(
            status="completed", post_url="https://t.example/9", completed_at="2025-05-01 10:00:00",
            created_at="2025-04-30 09:00:00", scheduled_time="2025-05-01 09:59:00", attempts=2,
        ),
        waiting(status="failed", error="Timed out", updated_at="2025-05-02 10:00:00", post_url="javascript:alert(1)"),
    )  # fmt: skip
    told = run(path, "--owner", user("grace").username, "--timezone", "Europe/Vienna")
    assert told == "Done: 1 scheduled, 1 kept as history, published, 1 kept as history, failed\n"
    posts = {post.origin: post for post in Post.objects.all()}
    first, second, third = (posts[f"legacy:{number}"] for number in (1, 2, 3))
    assert (first.status, first.scheduled_at, first.text) == ("scheduled", SOON, "Hello")
    assert str(first.owner) == "grace"
    assert {found.account for found in first.deliveries.all()} == {ada, bea}
    assert first.media.get().original_name == "cat.png"
    published = second.deliveries.get()
    assert (second.status, published.account, published.url) == ("published", ada, "https://t.example/9")
    assert published.published_at == datetime(2025, 5, 1, 8, tzinfo=UTC)
    assert second.created_at == datetime(2025, 4, 30, 7, tzinfo=UTC)
    assert published.response == {"legacy": {"id": "2", "attempts": 2}}
    failed = third.deliveries.get()
    assert (third.status, failed.error_message, failed.url, failed.job) == ("failed", "Timed out", "", None)
    assert Job.objects.filter(type="posts.publish").count() == 2  # of what waits alone
    events = Event.objects.filter(name__startswith="post.")
    told = {(event.data["post_id"], event.name) for event in events}
    created = {(post.pk, "post.created") for post in posts.values()}  # that it went out long ago is no news
    assert (told, len(events)) == ({*created, (first.pk, "post.scheduled")}, 4)


def test_the_same_file_twice_makes_nothing_a_second_time(old: Make) -> None:
    account("Ada")
    path = old(waiting(), waiting(status="completed"))
    run(path)
    before = (Post.objects.count(), Delivery.objects.count(), Job.objects.count())
    assert run(path) == "Done: 2 imported before\n"
    assert (Post.objects.count(), Delivery.objects.count(), Job.objects.count()) == before


def test_a_trial_says_what_each_row_becomes_and_keeps_nothing(old: Make, settings: Any) -> None:
    account("Ada")
    path = old(
        waiting(media_info="pictures/cat.png"),
        waiting(media_info="pictures/gone.png"),
        waiting(status="completed"),
        waiting(platform="myspace"),
    )
    told = run(path, "--dry-run", fails=True).splitlines()
    at = f"{SOON:%Y-%m-%d %H:%M} UTC"
    assert f"Row 1 (outbox): scheduled for {at} on Ada on Outbox: “Hello”" in told
    assert "Row 3 (outbox): history: published on Ada on Outbox: “Hello”" in told
    assert "Row 4 (myspace): skipped: this site knows no platform “myspace”: “Hello”" in told
    assert any(line.startswith("Row 2 (outbox): a draft (the file pictures/gone.png was not taken in") for line in told)
    assert told[-2] == "Would be: 1 scheduled, 1 kept as drafts, 1 kept as history, published, 1 skipped"
    assert (Post.objects.count(), Media.objects.count(), Job.objects.count()) == (0, 0, 0)
    assert not [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_of_rows_with_one_id_none_is_taken_for_another(old: Make, options: Sequence[str]) -> None:
    account("Ada")
    columns = COLUMNS.replace("INTEGER PRIMARY KEY", "INTEGER")
    rows = [waiting(id=7, caption="First"), waiting(id=7, caption="Second"), waiting(id=8), waiting(id=None)]
    # The last has no id: its number in the table, 4, is not another's.
    told = run(old(*rows, columns=columns), *options, fails=True)
    said = "skipped: another row has this id, too; give each its own in a copy of the file"
    assert f"Row 7 (outbox): {said}: “First”" in told
    assert f"Row 7 (outbox): {said}: “Second”" in told
    assert "2 scheduled, 2 skipped" in told
    assert set(Post.objects.values_list("origin", flat=True)) == (set() if options else {"legacy:8", "legacy:4"})


def test_what_is_overdue_goes_out_in_the_old_order_one_after_the_other(old: Make) -> None:
    account("Ada")
    path = old(
        waiting(caption="Second", scheduled_time="2025-02-01T00:00:00+00:00"),
        waiting(caption="First", scheduled_time=1_735_689_600),
        waiting(caption="Later"),
        waiting(caption="Never said", scheduled_time=None, created_at="2025-03-01T00:00:00+00:00"),
    )
    start = (clock.now() + timedelta(hours=1)).replace(microsecond=0)
    told = run(path, "--start-at", start.isoformat(), "--interval", "30")
    assert "Row 2 (outbox): scheduled for" in told
    assert "(it was overdue)" in told
    times = dict(Post.objects.values_list("text", "scheduled_at"))
    assert times == {
        "First": start,
        "Second": start + timedelta(minutes=30),
        "Never said": start + timedelta(minutes=60),
        "Later": SOON,
    }


def test_what_cannot_go_out_or_may_have_gone_out_is_a_draft(old: Make) -> None:
    account("Ada")
    path = old(waiting(caption="x" * 6000), waiting(status="processing"))
    told = run(path)
    assert [post.status for post in Post.objects.all()] == ["draft", "draft"]
    assert "the limit is 5,000" in told
    assert "does not say whether it went out" in told


def test_a_row_without_an_account_waits_for_one(old: Make) -> None:
    path = old(waiting(platform="Twitter"), waiting(platform="X", status="completed"))
    told = run(path, fails=True)
    assert "Row 1 (x): skipped: X has no enabled account; connect or enable one" in told
    assert "2 rows were skipped; mend what is said above and run this again" in told
    account("Ada", "x")
    run(path)
    assert Post.objects.count() == 2


@pytest.mark.parametrize(
    "media",
    ["/etc/passwd", "../../outside.png", "pictures/link.png", "pictures", "\0", "x" * 5000, "pictures/page.svg"],
)
def test_a_file_from_elsewhere_is_not_taken_in(old: Make, tmp_path: Path, media: str) -> None:
    account("Ada")
    (tmp_path / "outside.png").write_bytes(PNG)
    (tmp_path / "old" / "pictures" / "link.png").symlink_to(tmp_path / "outside.png")
    (tmp_path / "old" / "pictures" / "page.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    told = run(old(waiting(media_info=json.dumps([media]))))
    assert not Media.objects.exists()
    assert "\0" not in told
    assert Post.objects.get().status == ("scheduled" if media == "\0" else "draft")


def test_a_file_that_was_elsewhere_on_the_old_machine_is_found_by_its_name(old: Make, tmp_path: Path) -> None:
    account("Ada")
    told = run(old(waiting(media_info="/opt/bot/media/cat.png")), "--media-root", str(tmp_path / "old" / "pictures"))
    assert told == "Done: 1 scheduled\n"
    assert Media.objects.get().original_name == "cat.png"


@pytest.mark.parametrize(
    ("columns", "rows", "said"),
    [
        ("id INTEGER, platform TEXT", [], "has no column status / state; it has id, platform"),
        ("a TEXT", [{"a": "1"}], "has no column platform"),
    ],
)
def test_a_table_of_other_columns_is_refused(old: Make, columns: str, rows: Sequence[Any], said: str) -> None:
    assert said in run(old(*rows, columns=columns), fails=True)


def test_other_names_of_columns_are_known(old: Make) -> None:
    account("Ada")
    path = old(
        {"Job_ID": "a b", "Platform": "OUTBOX", "State": "Queued", "content": "Hi", "run_at": SOON.timestamp()},
        columns="Job_ID TEXT, Platform TEXT, State TEXT, content TEXT, run_at REAL",
    )
    run(path)
    post = Post.objects.get()
    assert (post.origin, post.text, post.scheduled_at) == ("legacy:a b", "Hi", SOON)


def test_a_table_that_numbers_no_rows_is_read(old: Make) -> None:
    account("Ada")
    path = old(waiting(id="a"), waiting(id="b"), columns=COLUMNS.replace("INTEGER", "TEXT", 1) + ") WITHOUT ROWID --")
    assert run(path) == "Done: 2 scheduled\n"


def test_hostile_values_are_text_or_nothing(old: Make) -> None:
    account("Ada")
    path = old(
        waiting(caption=b"\xff\xfe", media_info="[" * 5000, status="completed", attempts="many", completed_at="9e999"),
        waiting(caption="nul \0 and \u202e right", scheduled_time="12345-01-01", created_at=10**18, status="completed"),
        waiting(platform="<script>\n\x1b[31m"),
    )
    told = run(path, fails=True)
    assert "\x1b" not in told
    assert {post.text for post in Post.objects.all()} == {"", "nul  and \u202e right"}


def test_no_database_and_half_a_one_are_said_in_one_line(old: Make, tmp_path: Path) -> None:
    account("Ada")
    for name, content in (("text.db", b"hello" * 400), ("cut.db", old(waiting()).read_bytes()[:5000])):
        (tmp_path / name).write_bytes(content)
        assert "cannot be read as an SQLite database" in run(tmp_path / name, fails=True)
    assert "There is no file" in run(tmp_path / "nowhere.db", fails=True)
    (tmp_path / "empty.db").touch()
    assert "has no table jobs" in run(tmp_path / "empty.db", fails=True)
    with closing(sqlite3.connect(tmp_path / "view.db")) as file:
        file.execute("CREATE VIEW jobs AS SELECT 1 AS id, 'outbox' AS platform, 'pending' AS status")
    assert "jobs is no ordinary table" in run(tmp_path / "view.db", fails=True)
    assert not Post.objects.exists()


def test_what_the_old_system_has_just_written_is_read_and_nothing_is_changed(old: Make) -> None:
    account("Ada")
    path = old(waiting())
    writer = sqlite3.connect(path)
    writer.execute("INSERT INTO jobs (platform, status, caption) VALUES ('outbox', 'completed', 'In the WAL')")
    writer.commit()
    before = path.read_bytes()
    run(path)
    assert Post.objects.filter(text="In the WAL").exists()
    assert path.read_bytes() == before
    writer.close()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--owner", "nobody"], "There is no user nobody"),
        (["--media-root", "/nowhere"], "There is no folder /nowhere"),
        (["--timezone", "Mars/Base"], "is not a time zone"),
        (["--interval", "-1"], "--interval is 0 or more"),
        (["--interval", "nan"], "--interval is 0 or more"),
        (["--start-at", "soon"], "--start-at: "),
        (["--start-at", "2020-01-01T10:00"], "--start-at is in the past"),
    ],
)
def test_each_mistake_is_one_line(old: Make, options: list[str], said: str) -> None:
    assert said in run(old(waiting()), *options, fails=True)
