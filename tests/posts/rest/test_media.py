"""Files over HTTP: uploaded, fetched, described, found, deleted; hostile bodies and names leave nothing behind."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, FakePayload, encode_multipart

from posts.models import Media
from posts.rest import media
from posts.services.posts import schedule_post
from queue_app import clock
from tests.posts.admin.pages import PUBLISHER, person
from tests.posts.making import account, draft
from tests.posts.media.pictures import encoded, quarters
from tests.posts.platforms.fake_server import Answer, FakeServer, Seen
from tests.posts.rest.calling import Program

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]

FILES = ("posts.view_media", "posts.add_media", "posts.change_media", "posts.delete_media")
PICTURE = encoded(quarters(), "PNG")


class Files(FakeServer):
    """A web server with a picture at every address."""

    def handle(self, seen: Seen) -> Answer:
        return Answer(200, PICTURE)


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.SOCIALQ = {**settings.SOCIALQ, "ALLOW_PRIVATE_NETWORKS": True, "HTTP_TIMEOUT_SECONDS": 5}
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "temporary"
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 10  # every file goes to the disk
    settings.FILE_UPLOAD_TEMP_DIR.mkdir()
    return tmp_path


@pytest.fixture
def ada() -> Program:
    return Program(person("ada", (*PUBLISHER, *FILES)))


@pytest.fixture
def server() -> Iterator[Files]:
    with Files() as opened:
        yield opened


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def form(content: bytes = PICTURE, name: str = "cat.png", **fields: Any) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'.encode()
    rest = encode_multipart(BOUNDARY, fields)
    return head + b"Content-Type: text/html\r\n\r\n" + content + b"\r\n" + rest


def upload(program: Program, body: bytes, **headers: str) -> Any:
    return program("POST", "media", body, **{"Content_Type": MULTIPART_CONTENT, **headers})


def test_a_file_is_uploaded_with_what_is_said_of_it(ada: Program, folder: Path) -> None:
    answer = upload(ada, form(alt="A cat", tags="Cats, launch", in_library="true"))
    assert answer.status_code == 201, answer.content
    told = answer.json()
    assert (told["name"], told["mime_type"], told["width"], told["height"]) == ("cat.png", "image/png", 80, 40)
    assert (told["alt"], told["tags"], told["in_library"], told["uses"]) == ("A cat", ["cats", "launch"], True, 0)
    (path,) = files_in(folder)
    assert path.read_bytes() == PICTURE
    assert ada.get(f"media/{told['id']}").json() == told
    made = ada.post("posts", {"text": "Hello", "accounts": [account().pk], "media": [{"id": told["id"]}]})
    assert made.json()["media"] == [{"id": told["id"], "alt": ""}]
    assert ada.get(f"media/{told['id']}").json()["uses"] == 1


def test_a_file_is_fetched_from_an_address_outside_any_transaction(ada: Program, server: Files) -> None:
    answer = ada.post("media/from-url", {"url": f"{server.url}/a/cat.png", "alt": "A cat", "tags": ["cats"]})
    assert (answer.status_code, answer.json()["name"], answer.json()["alt"]) == (201, "cat.png", "A cat")
    refused = ada.post("media/from-url", {"url": "http://169.254.169.254/latest/meta-data/iam"})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["path"] == "url"
    assert len(server.seen) == Media.objects.count() == 1


def test_sent_twice_with_one_key_it_is_stored_once(ada: Program, folder: Path, server: Files) -> None:
    def sends(**form_or_url: str) -> Callable[..., Any]:
        if "url" in form_or_url:
            return lambda key: ada.post("media/from-url", form_or_url, Idempotency_Key=key)
        return lambda key: upload(ada, form(**form_or_url), Idempotency_Key=key)

    url = f"{server.url}/cat.png"
    for send, other in ((sends(alt="Cat"), sends(alt="Dog")), (sends(url=url), sends(url=f"{url}?other"))):
        key = uuid.uuid4().hex
        first, again = send(key), send(key)
        assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
        assert again["Idempotency-Replayed"] == "true"
        assert other(key).status_code == 422
    assert Media.objects.count() == len(files_in(folder)) == LogEntry.objects.count() == 2
    assert len(server.seen) == 1


def test_of_two_at_once_one_is_stored_and_the_file_of_the_other_is_gone(
    ada: Program, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = media.prepare_upload

    def slowly(*args: Any, **options: Any) -> Any:
        monkeypatch.setattr(media, "prepare_upload", prepare)
        assert upload(ada, form(), Idempotency_Key="one").status_code == 201
        return prepare(*args, **options)

    monkeypatch.setattr(media, "prepare_upload", slowly)
    answer = upload(ada, form(), Idempotency_Key="one")
    assert (answer.status_code, answer["Idempotency-Replayed"]) == (201, "true")
    assert Media.objects.count() == len(files_in(folder)) == 1


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "a%00.png", "..\\..\\boot.ini", "x" * 300 + ".png", "a.html", "a.svg"]
)
def test_a_hostile_name_is_a_name_and_no_path(ada: Program, folder: Path, name: str) -> None:
    told = upload(ada, form(name=name)).json()
    assert told["mime_type"] == "image/png"
    assert not set("/\\\0") & set(told["name"])
    (path,) = files_in(folder)
    assert path.is_relative_to(folder / "media")
    assert path.suffix == ""


def test_what_is_refused_leaves_no_file(ada: Program, folder: Path, settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "MEDIA_MAX_BYTES": 3000, "VIDEO_MAX_BYTES": 3000}
    whole = form()
    large = form(b"x" * 200_000)
    cases = [
        (upload(ada, large), 413),
        (upload(ada, form(b"x" * 5000)), 413),  # within what its form may have
        (upload(ada, whole, Content_Encoding="gzip"), 415),
        (ada("POST", "media", b"{}"), 415),
        (ada("POST", "media", PICTURE, Content_Type="image/png"), 415),
        (upload(ada, form(b"<script>")), 422),
        (upload(ada, form(tags="x" * 60)), 422),
        (upload(ada, form(alt="x" * 6000)), 422),
        (upload(ada, encode_multipart(BOUNDARY, {"alt": "no file"})), 422),
        (upload(ada, b"no form"), 422),
        (upload(ada, form(alt_text="A cat")), 422),  # it is "alt"
    ]
    assert [(answer.status_code, answer.json()["status"]) for answer, _status in cases] == [
        (status, status) for _answer, status in cases
    ]
    assert files_in(folder) == []
    assert not Media.objects.exists()


@pytest.mark.parametrize(
    ("length", "more", "status"),
    [("9999999999999", {}, 413), ("-1", {}, 400), ("abc", {}, 400), (None, {"HTTP_TRANSFER_ENCODING": "chunked"}, 411)],
)
def test_a_lying_length_is_refused_before_a_byte_is_read(
    ada: Program, folder: Path, length: str | None, more: Any, status: int
) -> None:
    class Unread(FakePayload):
        def read(self, *size: int) -> bytes:
            raise AssertionError("the body was read")

    given = {"CONTENT_TYPE": MULTIPART_CONTENT, "wsgi.input": Unread(form()), **more}
    given |= {} if length is None else {"CONTENT_LENGTH": length}
    answer = Client().request(
        REQUEST_METHOD="POST", PATH_INFO="/api/media", HTTP_AUTHORIZATION=f"Bearer {ada.key}", **given
    )
    assert answer.status_code == status
    assert files_in(folder) == []


def test_half_a_body_is_no_file(ada: Program, folder: Path) -> None:
    whole = form()
    for arrived in (len(whole) // 2, len(whole) - 5):
        answer = Client().request(
            REQUEST_METHOD="POST",
            PATH_INFO="/api/media",
            HTTP_AUTHORIZATION=f"Bearer {ada.key}",
            CONTENT_TYPE=MULTIPART_CONTENT,
            CONTENT_LENGTH=str(len(whole)),
            **{"wsgi.input": io.BytesIO(whole[:arrived])},  # as servers do where a connection breaks off
        )
        assert (answer.status_code, files_in(folder)) == (400, [])


def test_a_file_is_described_in_part_and_found_by_that(ada: Program) -> None:
    first, second = (upload(ada, form(name=name)).json()["id"] for name in ("cat.png", "dog.png"))
    assert ada.patch(f"media/{first}", {"alt": "A tabby", "tags": ["Cats"]}).status_code == 200
    told = ada.patch(f"media/{first}", {"in_library": True}).json()
    assert (told["alt"], told["tags"], told["in_library"]) == ("A tabby", ["cats"], True)
    assert ada.patch(f"media/{first}", {"alt": "x" * 5001}).status_code == 422
    refused = ada.patch(f"media/{first}", {"tags": ["a,b"]}).json()
    assert refused["errors"][0]["path"] == "tags"
    for query, found in (("q=tabby", [first]), ("tag=cats", [first]), ("kind=video", []), ("", [second, first])):
        assert [item["id"] for item in ada.get(f"media?{query}").json()["items"]] == found
    page = ada.get("media?limit=1").json()
    assert [item["id"] for item in ada.get(f"media?limit=1&cursor={page['next']}").json()["items"]] == [first]
    assert ada.get("media?kind=virus").status_code == 400


def test_a_file_is_deleted_unless_a_post_needs_it(ada: Program, folder: Path) -> None:
    found = Media.objects.get(pk=upload(ada, form()).json()["id"])
    post = draft(account(), media=[found], owner=User.objects.get(username="ada"))
    schedule_post(post, at=clock.now())
    refused = ada.delete(f"media/{found.pk}")
    assert (refused.status_code, len(files_in(folder))) == (409, 1)
    post.deliveries.all().delete()
    post.delete()
    assert ada.delete(f"media/{found.pk}").json() == {"deleted": True}
    assert files_in(folder) == []
    assert ada.get(f"media/{found.pk}").status_code == 404


def test_somebody_elses_file_is_not_there(ada: Program) -> None:
    other = Program(person("bob", (*PUBLISHER, *FILES)))
    media_id = upload(ada, form()).json()["id"]
    assert [
        other.get(f"media/{media_id}").status_code,
        other.patch(f"media/{media_id}", {"alt": "x"}).status_code,
        other.delete(f"media/{media_id}").status_code,
        len(other.get("media").json()["items"]),
    ] == [404, 404, 404, 0]
    assert json.loads(ada.get(f"media/{media_id}").content)["alt"] == ""
