"""Uploading: who may, how much, what comes back, and what stays behind. Showing: to whom."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, FakePayload, encode_multipart
from django.urls import reverse

from posts.models import Media
from posts.publishing.capabilities import ImageLimits
from posts.services.media import variant_for
from tests.posts.media.no_room import no_room
from tests.posts.media.pictures import encoded, file, noise, pdf, quarters

pytestmark = pytest.mark.django_db(transaction=True)

PNG = encoded(quarters(), "PNG")
BROWSER = {"HTTP_ACCEPT": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture(autouse=True)
def folders(settings: Any, tmp_path: Path) -> Iterator[Path]:
    """The media folder; afterwards the folder of temporary uploads must be empty."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path / "temporary")
    (tmp_path / "temporary").mkdir()
    yield settings.MEDIA_ROOT
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.fixture
def editor() -> User:
    user = User.objects.create_user("grace")
    user.user_permissions.add(Permission.objects.get(codename="add_media"))
    return user


@pytest.fixture
def browser(editor: User) -> Client:
    client = Client()
    client.force_login(editor)
    return client


def upload(client: Client, content: bytes = PNG, name: str = "cat.png", **extra: Any) -> Any:
    return client.post("/media/upload/", {"file": SimpleUploadedFile(name, content)}, **extra)


def raw(client: Client, body: bytes, length: object, content_type: str = MULTIPART_CONTENT, **extra: Any) -> Any:
    """Send ``body`` with a Content-Length of our own choice, as no honest client does."""
    environ = {"REQUEST_METHOD": "POST", "CONTENT_TYPE": content_type, "PATH_INFO": "/media/upload/", **extra}
    return client.request(**environ, **{"wsgi.input": FakePayload(body), "CONTENT_LENGTH": str(length)})


def multipart(content: bytes = PNG, **fields: str) -> bytes:
    return encode_multipart(BOUNDARY, {**fields, "file": SimpleUploadedFile("cat.png", content)})


def test_an_upload_answers_with_what_the_composer_needs(browser: Client, editor: User) -> None:
    answer = upload(browser)
    media = Media.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {
        "id": media.pk,
        "uuid": str(media.uuid),
        "name": "cat.png",
        "kind": "image",
        "width": 80,
        "height": 40,
        "thumbnail": f"/media/{media.uuid}/",
    }
    assert media.owner == editor


def test_a_large_upload_leaves_no_temporary_file(browser: Client, settings: Any) -> None:
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 1000
    assert upload(browser, encoded(noise(64, 64), "PNG")).status_code == 201


def test_strangers_and_people_without_the_permission_may_not(client: Client) -> None:
    assert upload(client).status_code == 401
    client.force_login(User.objects.create_user("viewer"))
    answer = upload(client)
    assert answer.status_code == 403
    assert "ask an administrator" in answer.json()["error"]
    assert not Media.objects.exists()


def test_get_changes_nothing(browser: Client) -> None:
    assert browser.get("/media/upload/").status_code == 405


def test_an_upload_needs_the_csrf_token_in_field_or_header(editor: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(editor)
    assert upload(client).status_code == 403
    assert not Media.objects.exists()
    client.get("/admin/login/")
    token = client.cookies["csrftoken"].value
    assert upload(client, HTTP_X_CSRFTOKEN=token).status_code == 201
    fields = {"csrfmiddlewaretoken": token, "file": SimpleUploadedFile("cat.png", PNG)}
    assert client.post("/media/upload/", fields).status_code == 201


def test_what_is_announced_as_too_large_is_refused_unread(browser: Client, settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "MEDIA_MAX_BYTES": 1000, "VIDEO_MAX_BYTES": 1000}
    body = BytesIO(multipart())
    answer = browser.request(
        **{
            "REQUEST_METHOD": "POST",
            "CONTENT_TYPE": MULTIPART_CONTENT,
            "PATH_INFO": "/media/upload/",
            "CONTENT_LENGTH": "50000000",
            "wsgi.input": body,
        }
    )
    assert answer.status_code == 413
    assert "at most 1,000 bytes" in answer.json()["error"]
    assert body.tell() == 0


@pytest.mark.parametrize("in_memory", [10, 10_000_000])
def test_what_turns_out_too_large_is_refused(browser: Client, settings: Any, folders: Path, in_memory: int) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "MEDIA_MAX_BYTES": 20_000, "VIDEO_MAX_BYTES": 20_000}
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = in_memory
    answer = upload(browser, bytes(90_000))
    assert answer.status_code == 413
    assert not folders.exists()


def test_what_is_no_video_is_refused_while_it_comes_in_whatever_a_video_may_have(
    browser: Client, settings: Any, folders: Path
) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "MEDIA_MAX_BYTES": 20_000, "VIDEO_MAX_BYTES": 500_000}
    answer = upload(browser, bytes(90_000))
    assert (answer.status_code, "at most 20,000 bytes" in answer.json()["error"]) == (413, True)
    padded = file("clip.mp4") + b"\0\0\0\0free" + bytes(90_000)
    answer = upload(browser, padded, "clip.mp4")
    assert (answer.status_code, answer.json()["kind"]) == (201, "video")
    answer = upload(browser, padded + bytes(500_000), "clip.mp4")
    assert (answer.status_code, "at most 500,000 bytes" in answer.json()["error"]) == (413, True)
    assert Media.objects.count() == 1


def test_a_video_goes_to_the_disk_as_it_comes(browser: Client, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No handler of uploads that keeps a file in memory sees a large one."""
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 1000
    seen: list[int] = []
    real = TemporaryFileUploadHandler.receive_data_chunk

    def watched(self: Any, raw_data: bytes, start: int) -> None:
        seen.append(len(raw_data))
        real(self, raw_data, start)

    monkeypatch.setattr(TemporaryFileUploadHandler, "receive_data_chunk", watched)
    content = file("clip.mp4") + b"\0\0\0\0free" + bytes(300_000)
    assert upload(browser, content, "clip.mp4").status_code == 201
    assert (sum(seen), max(seen) <= 65_536) == (len(content), True)
    assert Media.objects.get().size_bytes == len(content)


def test_a_file_without_a_picture_of_it_has_no_thumbnail(browser: Client) -> None:
    answer = upload(browser, pdf(), "report.pdf")
    assert (answer.json()["kind"], answer.json()["thumbnail"]) == ("document", "")
    assert browser.get(reverse("posts:thumbnail", args=[Media.objects.get().uuid])).status_code == 404


def test_several_files_count_together(browser: Client, settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "MEDIA_MAX_BYTES": 50_000, "VIDEO_MAX_BYTES": 50_000}
    files = {name: SimpleUploadedFile(name, bytes(30_000)) for name in ("file", "other")}
    assert browser.post("/media/upload/", files).status_code == 413


@pytest.mark.parametrize("length", [100, 200, "", "-5", "many"])
def test_a_lying_length_is_a_broken_upload(browser: Client, length: object) -> None:
    answer = raw(browser, multipart(), length)
    assert answer.status_code == 400
    assert "error" in answer.json()
    assert not Media.objects.exists()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"\x1f\x8b\x08 packed", "multipart/form-data; boundary=x"),
        (b"hello", "multipart/form-data"),
        (PNG, "image/png"),
        (b"file=cat.png", "application/x-www-form-urlencoded"),
    ],
)
def test_a_body_without_a_file_is_refused(browser: Client, body: bytes, content_type: str) -> None:
    answer = raw(browser, body, len(body), content_type)
    assert answer.status_code == 400
    assert "error" in answer.json()


def test_a_file_that_is_no_picture_is_refused_by_what_is_in_it(browser: Client) -> None:
    answer = upload(browser, b"<svg onload=alert(1)>", "cat.jpg")
    assert answer.status_code == 400
    assert "an SVG drawing" in answer.json()["error"]


def test_a_full_media_folder_is_said_with_its_own_status(browser: Client, folders: Path) -> None:
    with no_room():
        told, seen = upload(browser), upload(browser, **BROWSER)
    assert (told.status_code, seen.status_code) == (507, 507)
    assert told.json()["error"].startswith("cat.png was not stored: the server has no room for files.")
    assert "An administrator must make room; then upload it again." in seen.content.decode()
    assert not [path for path in folders.rglob("*") if path.is_file()]
    assert not Media.objects.exists()
    assert upload(browser).status_code == 201


def test_a_full_folder_of_temporary_files_is_said_too(
    browser: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 10

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(TemporaryFileUploadHandler, "receive_data_chunk", full)
        answer = upload(browser)
    assert (answer.status_code, "no room" in answer.json()["error"]) == (507, True)


def test_a_form_without_javascript_goes_back_with_a_message(browser: Client) -> None:
    answer = browser.post("/media/upload/?next=/outbox/", {"file": SimpleUploadedFile("cat.png", PNG)}, **BROWSER)
    assert (answer.status_code, answer["Location"]) == (302, "/outbox/")
    said = [str(message) for message in answer.wsgi_request._messages]
    assert said == [f"cat.png is uploaded as file {Media.objects.get().pk}."]


@pytest.mark.parametrize("target", ["", "https://evil.example/", "//evil.example/"])
def test_a_form_without_a_page_to_go_back_to_is_told_here(browser: Client, target: str) -> None:
    address = f"/media/upload/?next={target}"
    answer = browser.post(address, {"file": SimpleUploadedFile("<b>.png", b"text")}, **BROWSER)
    assert answer.status_code == 400
    assert answer["Content-Type"].startswith("text/plain")
    assert "was refused" in answer.content.decode()


def test_owner_and_those_who_see_all_get_the_picture_others_do_not(browser: Client) -> None:
    address = upload(browser).json()["thumbnail"]
    answer = browser.get(address)
    assert b"".join(answer.streaming_content) == PNG
    assert answer["Content-Type"] == "image/png"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    assert "private" in answer["Cache-Control"]
    other = Client()
    assert other.get(address).status_code == 302
    other.force_login(User.objects.create_user("eve"))
    assert other.get(address).status_code == 404
    other.force_login(User.objects.create_superuser("root"))
    answer = other.get(address)
    assert answer.status_code == 200
    answer.close()


def test_a_small_variant_stands_for_the_picture(browser: Client) -> None:
    address = upload(browser).json()["thumbnail"]
    variant = variant_for(Media.objects.get(), ImageLimits(100_000, 20))
    assert b"".join(browser.get(address).streaming_content) == Path(variant.file.path).read_bytes()


def test_a_picture_whose_file_is_gone_is_not_found(browser: Client) -> None:
    address = upload(browser).json()["thumbnail"]
    Path(Media.objects.get().file.path).unlink()
    assert browser.get(address).status_code == 404


def test_the_upload_view_is_outside_of_transactions() -> None:
    from posts.views import upload as view

    assert view._non_atomic_requests == {"default"}  # type: ignore[attr-defined]  # Django's own mark
    assert reverse("posts:upload") == "/media/upload/"
