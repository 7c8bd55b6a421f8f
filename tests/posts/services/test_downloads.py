"""Fetching a file from an address: what is stored, who is never asked, and that nothing is left of what is refused."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from posts.models import Media
from posts.services.downloads import fetch_upload
from posts.services.errors import ValidationFailed
from queue_app.database import atomic
from tests.posts.media.pictures import encoded, quarters
from tests.posts.platforms.fake_server import Answer, FakeServer, Seen

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]

PICTURE = encoded(quarters(), "PNG")


class Files(FakeServer):
    """A web server with a picture at every address."""

    def handle(self, seen: Seen) -> Answer:
        return Answer(200, PICTURE, {"Content-Type": "text/html"})


@pytest.fixture
def server() -> Iterator[Files]:
    with Files() as opened:
        yield opened


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    """The media folder; temporary files go into one beside it."""
    settings.SOCIALQ = {**settings.SOCIALQ, "ALLOW_PRIVATE_NETWORKS": True, "HTTP_TIMEOUT_SECONDS": 5}
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "temporary"
    settings.FILE_UPLOAD_TEMP_DIR.mkdir()
    return tmp_path


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def refused(url: str) -> str:
    with pytest.raises(ValidationFailed) as caught:
        fetch_upload(url, owner=None)
    (problem,) = caught.value.problems
    assert not Media.objects.exists()
    return problem.message


def test_a_file_is_stored_as_what_it_is_under_the_name_that_it_had(server: Files, folder: Path) -> None:
    media = fetch_upload(f"{server.url}/a/b%20c.html?token=x", owner=None, is_in_library=True)
    assert (media.original_name, media.mime_type, media.width, media.is_in_library) == (
        "b c.html",
        "image/png",
        80,
        True,
    )
    assert [path.read_bytes() for path in files_in(folder)] == [PICTURE]
    (seen,) = server.seen
    assert (seen.method, seen.query) == ("GET", {"token": "x"})
    assert not {"cookie", "authorization", "referer"} & seen.headers.keys()


@pytest.mark.parametrize("name", ["..%2F..%2Fetc%2Fpasswd", "%00.png", "x" * 300 + ".png", "a.svg", "%2Fetc%2Fpasswd"])
def test_a_name_from_outside_never_is_a_path(server: Files, folder: Path, name: str) -> None:
    media = fetch_upload(f"{server.url}/{name}", owner=None)
    assert "/" not in media.original_name
    assert len(files_in(folder / "media")) == len(files_in(folder)) == 1


def test_a_redirect_is_followed_and_judged_anew(server: Files, settings: Any) -> None:
    server.fault("/first", status=302, headers={"Location": "/second/picture.png"})
    assert fetch_upload(f"{server.url}/first", owner=None).size_bytes == len(PICTURE)
    Media.objects.all().delete()
    server.fault("/third", status=307, headers={"Location": "http://169.254.169.254/latest/meta-data/"})
    assert "169.254.169.254" in refused(f"{server.url}/third")
    server.fault("/round", status=301, headers={"Location": "/round"}, times=9)
    assert "leads on" in refused(f"{server.url}/round")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "0x7f.1", "2130706433", "127.1", "[::ffff:127.0.0.1]", "[::1]", "localhost", "169.254.169.254"],
)
def test_an_address_inside_is_never_asked(server: Files, settings: Any, host: str) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "ALLOW_PRIVATE_NETWORKS": False}
    refused(f"http://{host}:{server.url.rpartition(':')[2]}/picture.png")
    assert server.seen == []


def test_a_name_that_turns_inside_after_it_was_judged_gets_no_second_look(
    server: Files, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "ALLOW_PRIVATE_NETWORKS": False}
    called: list[str] = []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        called.append(address[0])
        raise ConnectionRefusedError

    answers = iter(["93.184.215.14", "127.0.0.1"])
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", (next(answers), 80))])
    monkeypatch.setattr(socket, "create_connection", connect)
    refused("http://rebinding.example/picture.png")
    assert called == ["93.184.215.14"]


@pytest.mark.parametrize(
    "url", ["", "picture.png", "file:///etc/passwd", "ftp://x.test/a", "http://u:p@127.0.0.1/", "http://[", "//x.test/"]
)
def test_what_is_no_web_address_is_refused(url: str) -> None:
    assert refused(url)


def test_what_is_no_file_that_we_take_leaves_nothing(server: Files, folder: Path, settings: Any) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"status": 404, "body": "x"}, "404"),
        ({"status": 200, "body": "<html>"}, "HTML"),
        ({"status": 200, "body": b"\x1f\x8b", "headers": {"Content-Encoding": "gzip"}}, "packed"),
        ({"status": 302}, "302"),
        ({"kind": "cut"}, "broke off"),
        ({"status": 200, "body": b"x" * 5000}, "too large"),
    ]
    settings.SOCIALQ = {**settings.SOCIALQ, "MEDIA_MAX_BYTES": 4000, "VIDEO_MAX_BYTES": 4000}
    for how, said in cases:
        server.fault("/bad", **how)
        assert said in refused(f"{server.url}/bad")
    assert files_in(folder) == []


def test_a_server_that_takes_too_long_is_left(server: Files, folder: Path, settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "HTTP_TIMEOUT_SECONDS": 0.3}
    server.fault("/slow", kind="drip", status=200, body=PICTURE)
    assert "in time" in refused(f"{server.url}/slow")
    assert files_in(folder) == []


def test_nobody_is_asked_inside_a_transaction(server: Files) -> None:
    with atomic(), pytest.raises(RuntimeError):
        fetch_upload(server.url, owner=None)
    assert server.seen == []
