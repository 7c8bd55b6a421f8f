"""Archives: what goes out comes in on another site, once, without logins; hostile ones leave nothing behind."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command

from posts import credentials
from posts.models import Account, Delivery, Media, Post, Recurrence, Slot, Tag
from posts.services import archive_import, archive_media
from posts.services.deliveries import retry_delivery
from posts.services.errors import Refused
from posts.services.media import store_upload
from posts.services.posts import retry_post, schedule_post
from posts.services.recurrence import repeat_post
from queue_app import clock
from queue_app.models import Block, Event, Job
from tests.posts.making import REJECTED, account, draft, picture, sent, unsettled, user, with_slots
from tests.posts.media.pictures import encoded, quarters

pytestmark = pytest.mark.django_db(transaction=True)

CANARY = "canary-in-a-login"
LATER = timedelta(days=30)
DAY = datetime(2031, 3, 1, 9, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An archive of a site with a little of everything, which is then empty: the other site."""
    ada, grace = account("Ada", identity_id="ada"), user()
    Account.objects.filter(pk=ada.pk).update(
        sealed_credentials=credentials.seal(ada.uuid, {"password": CANARY}), owner=grace, signature="Ada"
    )
    with_slots(ada, "Europe/Vienna", (0, time(9)))
    cat = store_upload(ContentFile(encoded(quarters(), "PNG")), owner=grace, original_name="cat.png")
    Media.objects.filter(pk=cat.pk).update(alt_text="A cat")
    sent(ada, text="out", media=[cat], owner=grace, tags=["news"])
    sent(ada, text="refused", outcome=REJECTED)
    unsettled(ada, text="nobody knows")
    schedule_post(draft(ada, text="coming", media=[cat], owner=grace), at=DAY, timezone="Europe/Vienna")
    repeat_post(schedule_post(draft(ada, text="weekly", owner=grace), at=DAY), rule="FREQ=WEEKLY;BYDAY=SA")
    draft(text="draft", owner=grace)
    path = tmp_path / "a.zip"
    run("export_archive", path)
    for model in (Delivery, Post, Recurrence, Job, Slot, Block, Account, Media, Tag):
        model.objects.all().delete()
    return path


def run(*words: object) -> str:
    out = io.StringIO()
    call_command(*map(str, words), stdout=out, stderr=io.StringIO())
    return out.getvalue()


def statuses() -> dict[str, list[str]]:
    return {post.text: [post.status, *post.deliveries.values_list("status", flat=True)] for post in Post.objects.all()}


def everything() -> list[Any]:
    models = (Account, Media, Post, Delivery, Tag, Recurrence, Slot, Job)
    return [sorted(model.objects.values_list("pk", flat=True)) for model in models]


def stored_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def changed(path: Path, kind: str, change: Callable[[Any], Any]) -> Path:
    """Return a copy of the archive in which ``change`` went through every record of ``kind``."""
    made = path.with_name("changed.zip")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(made, "w") as target:
        for member in source.infolist():
            data = source.read(member)
            if member.filename == f"{kind}.jsonl":
                lines = [json.dumps(change(json.loads(line))) for line in data.splitlines()]
                data = "".join(f"{line}\n" for line in lines).replace("Infinity", "1e999").encode()
            target.writestr(member.filename, data, compress_type=member.compress_type)
    return made


def test_what_is_out_is_history_and_what_was_to_come_is_a_draft(archive: Path, folder: Path) -> None:
    said = run("import_archive", archive)
    assert "posts: 6 new, 0 here already" in said
    assert "2 posts that were scheduled are drafts" in said
    assert statuses() == {
        "out": ["published", "published"],
        "refused": ["failed", "failed"],
        "nobody knows": ["failed", "failed"],
        "coming": ["draft", "draft"],
        "weekly": ["draft", "draft"],
        "draft": ["draft"],
    }
    assert not Job.objects.exclude(type__startswith="queue_app.").exists()
    out = Post.objects.get(text="out")
    assert (out.owner.get_username(), [tag.name for tag in out.tags.all()]) == ("grace", ["news"])
    delivery = out.deliveries.get()
    assert (delivery.url, delivery.published_at is not None) == ("https://outbox.example/1", True)
    media = out.media.get()
    assert (media.alt_text, media.owner, Path(media.file.path).exists()) == ("A cat", out.owner, True)
    assert media == Post.objects.get(text="coming").media.get()
    assert "look there before you retry" in Delivery.objects.get(post__text="nobody knows").error_message
    ada = Account.objects.get()
    assert (ada.name, ada.sealed_credentials, ada.reconnect_reason, ada.signature) == ("Ada", "", "imported", "Ada")
    assert (ada.slots_timezone, ada.slots.count()) == ("Europe/Vienna", 1)
    assert Block.objects.filter(key=ada.block_key, kind="reconnect").exists()
    assert Recurrence.objects.get().ended_at is not None, "a series of drafts does not go on by itself"
    here = set(Post.objects.values_list("pk", flat=True))
    told = [event.name for event in Event.objects.filter(job=None) if event.data.get("post_id") in here]
    assert told == ["post.created"] * 6, "that it went out elsewhere is no news"


def test_no_login_leaves_the_site(archive: Path) -> None:
    with zipfile.ZipFile(archive) as zipped:
        content = b"".join(zipped.read(name) for name in zipped.namelist())
    assert CANARY.encode() not in content
    assert b"gAAAA" not in content, "nor its ciphertext"
    assert archive.stat().st_mode & 0o077 == 0


def test_the_same_archive_twice_changes_nothing(archive: Path, folder: Path, tmp_path: Path) -> None:
    run("import_archive", archive)
    before, files = everything(), stored_files(folder)
    assert "posts: 0 new, 6 here already" in run("import_archive", archive, "--schedule")
    assert (everything(), stored_files(folder)) == (before, files)
    # Nor does an archive of what was imported, there or where it came from.
    run("export_archive", tmp_path / "again.zip")
    assert "posts: 0 new, 6 here already" in run("import_archive", tmp_path / "again.zip")
    assert everything() == before


def test_the_site_that_an_archive_is_of_takes_nothing_twice(tmp_path: Path) -> None:
    sent(account("Ada"), text="out")
    run("export_archive", tmp_path / "a.zip")
    before = everything()
    assert "posts: 0 new, 1 here already" in run("import_archive", tmp_path / "a.zip")
    assert everything() == before


def test_posts_are_scheduled_where_their_accounts_are_connected(archive: Path) -> None:
    account("Ada here", identity_id="ada")
    said = run("import_archive", archive, "--schedule")
    assert "2 posts are scheduled" in said
    assert "accounts: 0 new, 1 here already" in said
    coming = Post.objects.get(text="coming")
    assert (coming.status, coming.scheduled_at, coming.wall_time) == ("scheduled", DAY, "2031-03-01T10:30:00")
    assert Account.objects.get().name == "Ada here"
    assert Recurrence.objects.get().ended_at is None


def test_what_cannot_be_scheduled_is_said_and_stays_a_draft(archive: Path) -> None:
    said = run("import_archive", archive, "--schedule")
    assert "stays a draft: Ada on Outbox must be reconnected first" in said
    assert statuses()["coming"] == ["draft", "draft"]


def test_a_post_that_is_out_in_part_does_not_go_on(tmp_path: Path) -> None:
    post = sent(account("Ada"), text="half")
    Delivery.objects.create(post=post, account=account("Grace"), status="scheduled")
    run("export_archive", tmp_path / "a.zip")
    for model in (Delivery, Post, Job):
        model.objects.all().delete()
    run("import_archive", tmp_path / "a.zip", "--schedule")
    assert statuses() == {"half": ["partially_published", "published", "cancelled"]}


def test_what_may_be_out_is_sent_again_only_when_told_so(archive: Path) -> None:
    run("import_archive", archive)
    ada = Account.objects.get()
    Block.objects.all().delete()
    Account.objects.update(sealed_credentials=credentials.seal(ada.uuid, {"password": "x"}), reconnect_reason="")
    post = Post.objects.get(text="nobody knows")
    with pytest.raises(Refused, match="may already be live"):
        retry_post(post)
    with pytest.raises(Refused, match="may already be live"):
        schedule_post(post, at=clock.now() + LATER)
    assert [each.post for each in retry_post(post, even_if_uncertain=True)] == [post]
    assert [each.post.text for each in retry_post(Post.objects.get(text="refused"))] == ["refused"]


@pytest.mark.parametrize("status", ["scheduled", "held", "failed", "cancelled"])
@pytest.mark.parametrize("left", [{"platform_post_id": "1"}, {"snapshot": {"text": "given up"}}])
def test_what_is_out_in_part_or_was_given_up_uncertain_does_not_begin_anew(
    tmp_path: Path, status: str, left: dict[str, Any]
) -> None:
    Delivery.objects.create(post=draft(text="thread"), account=account("Ada"), status=status, **left)
    run("export_archive", tmp_path / "a.zip")
    for model in (Delivery, Post, Job):
        model.objects.all().delete()
    run("import_archive", tmp_path / "a.zip", "--schedule")
    delivery = Delivery.objects.get()
    assert delivery.status in ("failed", "cancelled")
    with pytest.raises(Refused, match="may already be live"):
        retry_delivery(delivery)


def test_a_file_that_was_deleted_long_ago_is_known_by_name(tmp_path: Path) -> None:
    gone = picture("gone.jpg", file_deleted_at=clock.now())
    Media.objects.filter(pk=draft(text="old", media=[gone]).media.get().pk).update(alt_text="It was there")
    run("export_archive", tmp_path / "a.zip")
    Post.objects.all().delete()
    Media.objects.all().delete()
    run("import_archive", tmp_path / "a.zip")
    media = Post.objects.get().media.get()
    assert (media.original_name, media.alt_text, media.file_deleted_at is not None) == (
        "gone.jpg",
        "It was there",
        True,
    )


def test_a_trial_writes_nothing(archive: Path, folder: Path) -> None:
    before, files = everything(), stored_files(folder)
    said = run("import_archive", archive, "--dry-run")
    assert "posts: 6 would be new, 0 here already" in said
    assert "media: 1 would be new" in said
    assert (everything(), stored_files(folder)) == (before, files)


def test_owners_are_found_by_name_or_told(archive: Path) -> None:
    path = changed(archive, "posts", lambda post: {**post, "owner": "nobody.here"})
    with pytest.raises(CommandError, match=r"There is no user nobody\.here here"):
        run("import_archive", path)
    with pytest.raises(CommandError, match="OLD=NEW"):
        run("import_archive", path, "--owner-map", "nobody.here")
    run("import_archive", path, "--owner-map", "nobody.here=grace")
    assert {post.owner.get_username() for post in Post.objects.all()} == {"grace"}


def test_only_some_are_exported(tmp_path: Path) -> None:
    draft(text="hers", owner=user())
    draft(text="nobodys")
    assert "1 posts" in run("export_archive", tmp_path / "a.zip", "--owner", "grace")
    tomorrow = (clock.now() + timedelta(days=1)).isoformat()
    assert "nothing was found" in run("export_archive", tmp_path / "b.zip", "--since", tomorrow)
    for words, said in ((["--owner", "x"], "no user"), (["--since", "x"], "a day like"), ([], "there already")):
        with pytest.raises(CommandError, match=said):
            run("export_archive", tmp_path / "a.zip", *words)


def in_first_delivery(post: Any, **fields: Any) -> Any:
    first, *rest = post["deliveries"] or [{}]
    return {**post, "deliveries": [{**first, **fields}, *rest]} if first else post


HOSTILE: list[tuple[str, Callable[[Any], Any]]] = [
    ("posts", lambda post: []),
    ("posts", lambda post: {**post, "text": "x\0"}),
    ("posts", lambda post: {**post, "text": "x" * 100_001}),
    ("posts", lambda post: {**post, "text": {"a": 1}}),
    ("posts", lambda post: {**post, "key": "1"}),
    ("posts", lambda post: {**post, "priority": 11}),
    ("posts", lambda post: {**post, "priority": 1.0}),
    ("posts", lambda post: {**post, "scheduled_at": "2031-01-01"}),
    ("posts", lambda post: {**post, "timezone": "../../etc/passwd"}),
    ("posts", lambda post: {**post, "tags": ["a,b"]}),
    ("posts", lambda post: {**post, "media": [{"media": "x", "alt_text": ""}]}),
    ("posts", lambda post: {**post, "recurrence": "x"}),
    ("posts", lambda post: {**post, "deliveries": post["deliveries"] * 2}),
    ("posts", lambda post: in_first_delivery(post, url="javascript:alert(1)")),
    ("posts", lambda post: in_first_delivery(post, status="live")),
    ("posts", lambda post: in_first_delivery(post, account=["x", "y"])),
    ("posts", lambda post: in_first_delivery(post, options={"a": [["\0"]]})),
    ("posts", lambda post: in_first_delivery(post, uuid=7)),
    ("accounts", lambda found: {**found, "slots": [[7, "09:00"]]}),
    ("accounts", lambda found: {**found, "slots": [[0, "09:00+02:00"]]}),
    ("accounts", lambda found: {**found, "config": "x"}),
    ("accounts", lambda found: {**found, "variables": {"a": 1}}),
    ("accounts", lambda found: {**found, "variables": {"A B": "1"}}),
    ("accounts", lambda found: {**found, "config": {"a": [1e308 * 10]}}),
    ("accounts", lambda found: {name: value for name, value in found.items() if name != "name"}),
    ("recurrences", lambda series: {**series, "rule": "FREQ=SECONDLY"}),
    ("recurrences", lambda series: {**series, "skipped_days": ["someday"]}),
    ("media", lambda media: {**media, "sha256": "../" * 20 + "xxxx"}),
    ("media", lambda media: {**media, "width": 2**40}),
]


@pytest.mark.one_database
@pytest.mark.parametrize(("kind", "change"), HOSTILE)
def test_records_of_nonsense_are_refused_and_nothing_is_left(
    archive: Path, folder: Path, kind: str, change: Callable[[Any], Any]
) -> None:
    before, files = everything(), stored_files(folder)
    with pytest.raises(CommandError) as caught:
        run("import_archive", changed(archive, kind, change))
    assert "\n" not in str(caught.value)
    assert (everything(), stored_files(folder)) == (before, files)


def test_files_that_are_not_what_is_said_are_refused(archive: Path, folder: Path) -> None:
    (name,) = (name for name in zipfile.ZipFile(archive).namelist() if name.startswith("files/"))
    before, files = everything(), stored_files(folder)
    for content, packed, words in (
        (b"another", zipfile.ZIP_STORED, "damaged"),
        (bytes(10_000_000), zipfile.ZIP_DEFLATED, "packed"),
    ):
        path = archive.with_name("files.zip")
        with zipfile.ZipFile(archive) as source, zipfile.ZipFile(path, "w") as target:
            for member in source.namelist():
                is_it = member == name
                target.writestr(member, content if is_it else source.read(member), packed if is_it else None)
        with pytest.raises(CommandError, match=words):
            run("import_archive", path)
    assert (everything(), stored_files(folder)) == (before, files)


@pytest.mark.one_database
def test_other_files_are_no_archives(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with pytest.raises(CommandError, match="cannot be read"):
        run("import_archive", path)
    for content in (b"", b"PK\x03\x04" + bytes(100), b"[]"):
        path.write_bytes(content)
        with pytest.raises(CommandError, match="damaged or no archive"):
            run("import_archive", path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("../../archive.json", "{}")
    with pytest.raises(CommandError, match="no archive of SocialQ"):
        run("import_archive", path)
    for header in (b"{", b"[]", b"[" * 100_000, b'{"format": 9}'):
        with zipfile.ZipFile(path, "w") as zipped:
            for kind in ("accounts", "media", "recurrences", "posts"):
                zipped.writestr(f"{kind}.jsonl", b"")
            zipped.writestr("archive.json", header)
        with pytest.raises(CommandError, match="does not read"):
            run("import_archive", path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for kind in ("accounts", "media", "recurrences", "posts"):
            zipped.writestr(f"{kind}.jsonl", b"[" * 5_000_000)
        zipped.writestr("archive.json", '{"format": 1}')
    with pytest.raises(CommandError, match="line that is too long"):
        run("import_archive", path)


def test_an_import_that_breaks_leaves_neither_rows_nor_files(
    archive: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = stored_files(folder)

    def breaks(_statuses: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive_import, "status_of", breaks)
    with pytest.raises(CommandError, match="No space left"):
        run("import_archive", archive)
    assert not any(everything())
    assert stored_files(folder) == files


def test_a_file_that_cannot_be_read_is_named(folder: Path, tmp_path: Path) -> None:
    cat = store_upload(ContentFile(encoded(quarters(), "PNG")), owner=None, original_name="cat.png")
    draft(account("Ada"), text="cat", media=[cat])
    (folder / cat.file.name).unlink()
    (folder / cat.file.name).mkdir()
    with pytest.raises(CommandError, match=f"The file {cat.file.name} cannot be read: "):
        run("export_archive", tmp_path / "b.zip")
    assert not (tmp_path / "b.zip").exists()


def test_no_room_for_copies_is_no_fault_of_the_archive(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_media.tempfile, "TemporaryFile", partial(Path("/dev/full").open, "wb"))
    with pytest.raises(CommandError, match=r"^cat.png was not stored: the server has no room for files"):
        run("import_archive", archive, "--owner-map", "*=")
    assert not Post.objects.exists()
