"""The command line: what it writes, and that bad input is one line, exit code 1 and nothing half saved."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from posts.models import Media, Post, PostStatus
from queue_app import clock
from queue_app.models import Job
from tests.posts.making import account, delivery, job_of
from tests.posts.media.pictures import encoded, quarters
from tests.site import Site

NEXT_YEAR = datetime.now(UTC).year + 1

database = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def media_folder(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "stored"
    return tmp_path / "stored"


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    path = tmp_path / "cat.png"
    path.write_bytes(encoded(quarters(), "PNG"))
    return path


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def schedule(*arguments: object) -> tuple[str, str]:
    """Run the command; return what it said on standard output and on standard error."""
    out, err = StringIO(), StringIO()
    call_command("schedule_post", *map(str, arguments), stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


@database
def test_without_a_time_the_post_goes_out_now() -> None:
    ada, bob = account("Ada"), account("Bob")
    out, err = schedule("--account", ada.pk, "--account", bob.pk, "--text", "Hello")
    post = Post.objects.get()
    assert out == f"Post {post.pk} is scheduled to go out now. See how it goes: manage.py show_post {post.pk}\n"
    assert err == ""
    assert (post.text, post.status, post.owner) == ("Hello", PostStatus.SCHEDULED, None)
    assert {found.account for found in post.deliveries.select_related("account")} == {ada, bob}
    assert all(job.run_at <= clock.now() for job in Job.objects.filter(type="posts.publish"))


@database
def test_json_has_the_id_and_pictures_keep_their_alt_texts(cat: Path, tmp_path: Path) -> None:
    dog = tmp_path / "dog.jpg"
    dog.write_bytes(encoded(quarters(), "JPEG"))
    media = ["--media", cat, "--media", dog, "--alt", "A dog"]
    out, _ = schedule("--account", account().pk, *media, "--json")
    answer = json.loads(out)
    post = Post.objects.get()
    assert (answer["id"], answer["status"]) == (post.pk, "scheduled")
    assert datetime.fromisoformat(answer["scheduled_at"]) == post.scheduled_at
    pictures = post.post_media.select_related("media")
    assert [(found.media.original_name, found.alt_text) for found in pictures] == [
        ("cat.png", ""),
        ("dog.jpg", "A dog"),
    ]


@database
def test_a_wall_time_is_read_in_the_zone_that_was_named() -> None:
    out, err = schedule(
        "--account", account().pk, "--text", "Hi", "--at", f"{NEXT_YEAR}-07-01T14:30", "--timezone", "Europe/Berlin"
    )
    post = Post.objects.get()
    assert post.scheduled_at == datetime(NEXT_YEAR, 7, 1, 12, 30, tzinfo=UTC)
    assert (post.wall_time, post.timezone) == (f"{NEXT_YEAR}-07-01T14:30:00", "Europe/Berlin")
    assert f"is scheduled for {NEXT_YEAR}-07-01 14:30:00 (Europe/Berlin)." in out
    assert err == ""
    job = job_of(delivery(post))
    assert (job.run_at, job.expires_at) == (post.scheduled_at, post.scheduled_at + timedelta(hours=24))


@database
def test_a_wall_time_without_zone_is_read_in_the_sites_which_is_said(settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    out, err = schedule("--account", account().pk, "--text", "Hi", "--at", f"{NEXT_YEAR}-07-01 14:30", "--json")
    assert err == "--at was read in the site's time zone, Asia/Tokyo; name another with --timezone.\n"
    assert json.loads(out)["scheduled_at"] == f"{NEXT_YEAR}-07-01T05:30:00+00:00"


@database
def test_an_offset_needs_no_zone() -> None:
    out, err = schedule("--account", account().pk, "--text", "Hi", "--at", f"{NEXT_YEAR}-07-01T14:30+02:00", "--json")
    assert err == ""
    assert json.loads(out)["scheduled_at"] == f"{NEXT_YEAR}-07-01T12:30:00+00:00"


Arguments = Callable[[int, Path], list[object]]


@database
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (lambda ada, cat: ["--text", "Hi"], "A post needs an account: add --account ID"),
        (
            lambda ada, cat: ["--account", "ada", "--text", "Hi"],
            "--account takes the id of an account, a number, not “ada”",
        ),
        (lambda ada, cat: ["--account", 4711, "--text", "Hi"], "There is no account 4711 that this post can use"),
        (lambda ada, cat: ["--account", ada], "Ada on Bluesky: the post is empty; write a text or attach a picture"),
        (
            lambda ada, cat: ["--account", ada, "--text", "x" * 312, "--media", cat],
            "Ada on Bluesky: text has 312 characters, the limit is 300",
        ),
        (lambda ada, cat: ["--account", ada, "--text", "\udcff"], "The text has characters that cannot be stored"),
        (lambda ada, cat: ["--account", ada, "--media", cat, "--at", "2020-01-01T00:00"], "is in the past"),
        (lambda ada, cat: ["--account", ada, "--text", "Hi", "--at", "tomorrow"], "“tomorrow” is not a date and time"),
        (
            lambda ada, cat: [
                "--account",
                ada,
                "--text",
                "Hi",
                "--at",
                "2026-03-29T02:30",
                "--timezone",
                "Europe/Berlin",
            ],
            "2026-03-29 02:30 does not exist in Europe/Berlin: the clocks go from 2026-03-29 02:00 straight to",
        ),
        (
            lambda ada, cat: [
                "--account",
                ada,
                "--text",
                "Hi",
                "--at",
                "2026-10-25T02:30",
                "--timezone",
                "Europe/Berlin",
            ],
            "Write it with its offset: --at 2026-10-25T02:30:00+02:00 or --at 2026-10-25T02:30:00+01:00",
        ),
        (
            lambda ada, cat: ["--account", ada, "--text", "Hi", "--at", "2026-01-01T00:00", "--timezone", "Mars/Base"],
            "“Mars/Base” is not a time zone",
        ),
        (
            lambda ada, cat: ["--account", ada, "--text", "Hi", "--timezone", "Mars/Base"],
            "“Mars/Base” is not a time zone",
        ),
        (
            lambda ada, cat: ["--account", ada, "--media", cat, "--media", "nowhere.png"],
            "nowhere.png cannot be read: No such",
        ),
        (lambda ada, cat: ["--account", ada, "--media", cat, "--media", cat.parent], "cannot be read: Is a directory"),
        (lambda ada, cat: ["--account", ada, "--media", cat, "--media", __file__], "was refused: inside it is"),
        (lambda ada, cat: ["--account", ada, "--media", "a\0b"], "cannot be read: "),
        (
            lambda ada, cat: ["--account", ada, "--alt", "A cat", "--media", cat],
            "--alt belongs to the --media right before",
        ),
        (
            lambda ada, cat: ["--account", ada, "--media", cat, "--alt", "A", "--alt", "B"],
            "--alt belongs to the --media right before",
        ),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    arguments: Arguments, message: str, cat: Path, media_folder: Path
) -> None:
    ada = account("Ada", platform="bluesky")
    with pytest.raises(CommandError) as caught:
        schedule(*arguments(ada.pk, cat))
    text = str(caught.value)
    assert message in text
    assert "\n" not in text
    assert caught.value.returncode == 1
    assert not Post.objects.exists()
    assert not Media.objects.exists()
    assert not Job.objects.exists()
    assert files_in(media_folder) == []


@database
@pytest.mark.parametrize("fields", [{"enabled": False}, {"reconnect_reason": "x"}, {"platform": "myspace"}])
def test_an_account_that_cannot_be_posted_to_is_named(fields: dict[str, Any]) -> None:
    off = account("Ada", **fields)
    with pytest.raises(CommandError, match=r"^Ada on "):
        schedule("--account", off.pk, "--text", "Hi")
    assert not Post.objects.exists()


@database
def test_a_stop_half_way_leaves_nothing(cat: Path, media_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from posts.management.commands import schedule_post

    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(schedule_post, "publish_now", interrupted)
    with pytest.raises(KeyboardInterrupt):
        schedule("--account", account().pk, "--media", cat)
    assert not Post.objects.exists()
    assert not Media.objects.exists()
    assert files_in(media_folder) == []


def test_as_a_process_it_ends_with_1_and_one_line_on_standard_error(site: Site) -> None:
    done = site.manage("schedule_post", "--account", "4711", "--text", "Hi", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "CommandError: There is no account 4711 that this post can use; choose one from the list of accounts\n"
    )
