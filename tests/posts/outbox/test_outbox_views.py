"""Who may read the outbox, in which order, and that nothing in a post comes alive there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client

from posts.models import OutboxPost

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

AT = datetime(2026, 5, 4, 12, tzinfo=UTC)
PUBLIC_ADDRESS = "192.0.2.7"


def live(text: str = "Hello", minutes: int = 0, **fields: Any) -> OutboxPost:
    return OutboxPost.objects.create(mailbox="Ada", text=text, published_at=AT + timedelta(minutes=minutes), **fields)


def test_the_newest_comes_first_and_per_page_bounds_the_page(client: Client) -> None:
    for number in range(3):
        live(f"Post number {number}", minutes=number)
    page = client.get("/outbox/?per_page=2").content.decode()
    assert page.index("Post number 2") < page.index("Post number 1")
    assert "Post number 0" not in page
    assert "?per_page=2&amp;page=2" in page
    assert "Post number 0" in client.get("/outbox/?per_page=2&page=2").content.decode()


@pytest.mark.parametrize("query", ["per_page=0", "per_page=101", "per_page=x", "page=0", "page=-1", "page=' OR 1"])
def test_a_page_that_makes_no_sense_is_a_bad_request(client: Client, query: str) -> None:
    answer = client.get(f"/outbox/?{query}")
    assert (answer.status_code, answer["Content-Type"]) == (400, "text/plain")


def test_a_page_that_is_not_there_is_not_found(client: Client) -> None:
    assert client.get("/outbox/?page=2").status_code == 404
    assert client.get("/outbox/999/").status_code == 404
    assert client.get(f"/outbox/{live().pk}/pictures/0/").status_code == 404


def test_an_empty_outbox_says_what_to_do(client: Client) -> None:
    assert "choose an outbox account" in client.get("/outbox/").content.decode()


def test_hostile_text_stays_text(client: Client) -> None:
    post = live("<script>alert(1)</script> javascript:alert(2) https://example.org/?a=1&b=2")
    post.mailbox = "<b>Ada</b>"
    post.pictures = [{"file": "x", "mime_type": "image/png", "width": 1, "height": 1, "alt_text": '"><script>'}]
    post.save()
    for address in ("/outbox/", f"/outbox/{post.pk}/"):
        page = client.get(address).content.decode()
        assert "<script" not in page
        assert "<b>Ada" not in page
        assert 'href="javascript:' not in page
        assert 'href="https://example.org/?a=1&amp;b=2"' in page


def test_pictures_are_sent_as_pictures_only(client: Client) -> None:
    name = default_storage.save("outbox/aa/test", ContentFile(b"not really a png"))
    kept = {"file": name, "mime_type": "image/png", "width": 1, "height": 1, "alt_text": ""}
    post = live(pictures=[kept, {**kept, "file": "outbox/aa/gone"}])
    answer = client.get(f"/outbox/{post.pk}/pictures/0/")
    assert b"".join(answer.streaming_content) == b"not really a png"  # type: ignore[attr-defined]  # a FileResponse
    assert answer["Content-Type"] == "image/png"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    assert client.get(f"/outbox/{post.pk}/pictures/1/").status_code == 404


@pytest.mark.parametrize("path", ["/outbox/", "/outbox/1/", "/outbox/1/pictures/0/"])
def test_away_from_loopback_only_staff_may_look(client: Client, path: str) -> None:
    answer = client.get(path, REMOTE_ADDR=PUBLIC_ADDRESS)
    assert (answer.status_code, answer["Location"]) == (302, f"/admin/login/?next={path}")
    client.force_login(User.objects.create_user("editor"))
    assert client.get(path, REMOTE_ADDR=PUBLIC_ADDRESS).status_code == 403
    client.force_login(User.objects.create_user("staff", is_staff=True))
    assert client.get(path, REMOTE_ADDR=PUBLIC_ADDRESS).status_code in (200, 404)


def test_a_public_site_behind_a_proxy_is_not_loopback(client: Client, settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "SITE_URL": "https://social.example.org"}
    assert client.get("/outbox/").status_code == 302


def test_outbox_public_opens_it_to_everybody(client: Client, settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "OUTBOX_PUBLIC": True}
    assert client.get("/outbox/", REMOTE_ADDR=PUBLIC_ADDRESS).status_code == 200


def test_only_reads(client: Client) -> None:
    assert client.post("/outbox/").status_code == 405
