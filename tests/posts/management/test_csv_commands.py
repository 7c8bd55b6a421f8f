"""import_posts and export_posts: the services of the admin's import, from the command line."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from posts.models import Post
from tests.posts.making import account

pytestmark = pytest.mark.django_db(transaction=True)


def run(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out, stderr=StringIO())
    return out.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> str:
    account("Ada")
    path = tmp_path / "posts.csv"
    path.write_text("text,accounts,scheduled_at\nHello,Ada,2031-03-01 09:30\nLater,Ada,\n")
    return str(path)


def test_a_dry_run_saves_nothing(file: str) -> None:
    said = run("import_posts", file, "--dry-run", "--timezone", "Asia/Tokyo")
    assert "Row 2: Goes out on Saturday, 1 March 2031, 09:30 (Asia/Tokyo, UTC+09:00): Ada on Outbox" in said
    assert not Post.objects.exists()


def test_the_same_file_twice_makes_no_second_post(file: str) -> None:
    assert "Row 3: post" in run("import_posts", file)
    assert "Made already" in run("import_posts", file)
    assert sorted(Post.objects.values_list("text", "status")) == [("Hello", "scheduled"), ("Later", "draft")]


def test_refused_rows_are_said_and_end_with_an_error(file: str) -> None:
    Path(file).write_text("text,accounts\nHello,Ada\nBad,Nobody\n")
    out = StringIO()
    with pytest.raises(CommandError, match="1 of 2 rows were refused"):
        call_command("import_posts", file, stdout=out)
    assert "Row 3: refused: accounts: There is no account “Nobody”" in out.getvalue()
    assert Post.objects.count() == 1


@pytest.mark.parametrize("words", [["/no/such/file"], ["{file}", "--timezone", "Mars"], ["\0"]])
def test_what_cannot_be_read_is_one_line(file: str, words: list[str]) -> None:
    with pytest.raises(CommandError) as caught:
        run("import_posts", *(word.format(file=file) for word in words))
    assert "\n" not in str(caught.value)


def test_an_export_is_what_an_import_takes(file: str, tmp_path: Path) -> None:
    run("import_posts", file)
    exported = run("export_posts")
    assert run("export_posts", "--status", "draft").count("Later") == 1
    assert "Hello" not in run("export_posts", "--status", "draft")
    Post.objects.all().delete()
    again = tmp_path / "again.csv"
    again.write_text(exported, newline="")
    run("import_posts", str(again))
    assert run("export_posts").splitlines()[0] == exported.splitlines()[0]
    assert sorted(run("export_posts").splitlines()) == sorted(exported.splitlines())
    with pytest.raises(CommandError, match="no status"):
        run("export_posts", "--status", "soon")
