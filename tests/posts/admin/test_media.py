"""The media library's pages: the grid, uploading into it, a file's page, deleting, picking for the composer, tags."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from posts.models import Media, Tag
from posts.services.posts import schedule_post
from posts.services.tags import set_tags
from queue_app import clock
from queue_app.admin import actions
from tests.posts.admin.pages import EDITOR, VIEWER, act, browser, list_of, messages_of, page, person
from tests.posts.admin.test_permissions import LIBRARIAN
from tests.posts.making import account, draft, picture
from tests.posts.media.pictures import encoded, quarters

pytestmark = pytest.mark.django_db

PNG = encoded(quarters(), "PNG")
LIBRARY, UPLOAD, PICK, TAGS = (f"/admin/posts/media/{name}" for name in ("", "upload/", "pick/", "tags/"))
HOSTILE = "\"'><script>alert(1)</script>{{ 7|add:7 }}"


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def keeper() -> Client:
    return browser(person("keeper", (*LIBRARIAN, "posts.view_all_posts", "posts.change_tag", "posts.delete_tag")))


def names(client: Client, **query: str) -> list[str]:
    """Return the names on the grid."""
    text = client.get(LIBRARY, query).content.decode()
    return re.findall(r'class="sq-card-name"[^>]*>([^<]*)<', text)


def save(client: Client, media: Media, **fields: str) -> Any:
    return client.post(page(media), {"_save": "Save", "alt_text": "", "tags": "", **fields})


def test_a_card_says_what_there_is_to_know(keeper: Client) -> None:
    cat = picture("cat.jpg", is_in_library=True)
    set_tags(cat, ["pets"])
    draft(account(), media=[cat])
    text = " ".join(re.sub(r"<[^>]+>", " ", keeper.get(LIBRARY).content.decode()).split())
    assert re.search(r"cat\.jpg Picture · 800 × 600, 1000.bytes Kept Alt text missing Used in 1 post pets", text)


def test_filters_and_search(keeper: Client) -> None:
    described = picture("cat.jpg", alt_text="A cat asleep", is_in_library=True)
    set_tags(described, ["pets"])
    used = picture("dog.jpg")
    draft(account(), media=[used])
    picture("talk.pdf", kind="document", mime_type="application/pdf")
    picture("gone.gif", kind="gif", file_deleted_at=clock.now())
    assert names(keeper) == ["gone.gif", "talk.pdf", "dog.jpg", "cat.jpg"]
    asked: dict[tuple[str, str], list[str]] = {
        ("kind__exact", "document"): ["talk.pdf"],
        ("tag", "pets"): ["cat.jpg"],
        ("unused", "no"): ["dog.jpg"],
        ("unused", "yes"): ["gone.gif", "talk.pdf", "cat.jpg"],
        ("without_alt", "yes"): ["gone.gif", "dog.jpg"],
        ("is_in_library__exact", "1"): ["cat.jpg"],
        ("gone", "yes"): ["gone.gif"],
        ("q", "asleep"): ["cat.jpg"],
        ("q", "pets"): ["cat.jpg"],
        ("q", "dog"): ["dog.jpg"],
    }
    assert {key: names(keeper, **dict([key])) for key in asked} == asked
    text = keeper.get(LIBRARY, {"tag": "none"}).content.decode()
    assert "No file matches" in text
    assert "Clear filters" in text


def test_an_empty_library_says_what_to_do(keeper: Client) -> None:
    assert "Drop pictures" in keeper.get(LIBRARY).content.decode()
    viewer = browser(person("viewer", VIEWER)).get(LIBRARY).content.decode()
    assert "Drop pictures" not in viewer
    assert "No file yet" in viewer


def test_the_grid_asks_little_however_many_files_there_are(keeper: Client, django_assert_max_num_queries: Any) -> None:
    for number in range(70):
        cat = picture(f"{number}.mp4", kind="video", mime_type="video/mp4")
        set_tags(cat, ["pets", f"n{number}"])
    keeper.get(LIBRARY)
    with django_assert_max_num_queries(20):
        assert len(names(keeper)) == 60
    with django_assert_max_num_queries(12):
        keeper.get(PICK)
    with django_assert_max_num_queries(20):
        keeper.get(TAGS)


def test_files_go_right_into_the_library(keeper: Client) -> None:
    files = [SimpleUploadedFile("cat.png", PNG), SimpleUploadedFile("bad.png", b"no picture")]
    answer = keeper.post(UPLOAD, {"file": files}, HTTP_ACCEPT="text/html")
    assert answer.status_code == 302
    assert "1 file is in the library" in messages_of(answer)
    assert "bad.png" in messages_of(answer)
    cat = Media.objects.get()
    assert (cat.original_name, cat.is_in_library) == ("cat.png", True)
    assert LogEntry.objects.get().change_message == "Uploaded into the library."


def test_a_script_gets_the_card(keeper: Client) -> None:
    answer = keeper.post(UPLOAD, {"file": SimpleUploadedFile(f"{HOSTILE}.png", PNG)}, HTTP_ACCEPT="application/json")
    assert answer.status_code == 201
    (card,) = answer.json()["cards"]
    assert "Alt text missing" in card
    assert "<script" not in card
    refused = keeper.post(UPLOAD, {"file": SimpleUploadedFile("x.png", b"x")}, HTTP_ACCEPT="application/json")
    assert refused.status_code == 200
    assert refused.json()["cards"] == []
    assert "x.png" in refused.json()["error"]
    assert "no file" in keeper.post(UPLOAD, {}, HTTP_ACCEPT="application/json").json()["error"]


def test_what_is_too_large_is_refused_before_it_is_read(keeper: Client, settings: Any) -> None:
    settings.SOCIALQ = {"MEDIA_MAX_BYTES": 10, "VIDEO_MAX_BYTES": 10}
    big = SimpleUploadedFile("big.png", b"x" * 200_000)
    assert keeper.post(UPLOAD, {"file": big}, HTTP_ACCEPT="application/json").status_code == 413
    assert not Media.objects.exists()


def test_alt_text_and_tags_are_kept_with_the_file(keeper: Client) -> None:
    cat = picture("cat.jpg")
    answer = save(keeper, cat, alt_text="A cat", tags="Pets, grey", is_in_library="on")
    assert answer.status_code == 302
    text = keeper.get(page(cat)).content.decode()
    assert ">\nA cat</textarea>" in text
    assert 'value="grey, pets"' in text
    assert "kept in the library: it stays" in text
    assert LogEntry.objects.get().object_id == str(cat.pk)
    refused = save(keeper, cat, alt_text="A dog", tags="x" * 51)
    assert "the most is 50" in refused.content.decode()
    assert "A dog" in refused.content.decode()
    assert Media.objects.get().alt_text == "A cat"


def test_the_page_says_how_long_the_file_stays(keeper: Client) -> None:
    cat = picture("cat.jpg")
    assert "No post uses it. It is deleted after" in keeper.get(page(cat)).content.decode()
    draft(account(), media=[cat])
    assert "It stays while a draft" in keeper.get(page(cat)).content.decode()
    Media.objects.update(file_deleted_at=clock.now())
    assert "The file is gone since" in keeper.get(page(cat)).content.decode()


def test_the_page_names_only_posts_that_the_person_may_see() -> None:
    client, cat = browser(person("ed", EDITOR)), picture("cat.jpg")
    draft(account(), media=[cat], text="secret words", owner=person("other"))
    text = client.get(page(cat)).content.decode()
    assert "secret words" not in text
    assert "and 1 post that is somebody else" in text
    assert 'name="_save"' not in text
    assert save(client, cat, alt_text="x").status_code == 403


def test_deleting_asks_first_and_lists_what_it_meets(keeper: Client) -> None:
    cat, dog = picture("cat.jpg"), picture("dog.jpg")
    draft(account(), media=[cat], text="with a cat")
    schedule_post(draft(account("Bob"), media=[dog], text="with a dog"), at=clock.now() + timedelta(days=1))
    asked = html.unescape(act(keeper, "delete", cat, dog, sure=False).content.decode())
    assert "“with a cat”: draft" in asked
    assert "1 draft loses a file" in asked
    assert "dog.jpg is needed by a post" in asked
    assert "“with a dog”: scheduled" in asked
    answer = act(keeper, "delete", cat, dog)
    assert answer.status_code == 302
    assert [media.original_name for media in Media.objects.all()] == ["dog.jpg"]
    assert LogEntry.objects.get().change_message == "Deleted."


def test_many_are_kept_tagged_and_let_go(keeper: Client) -> None:
    cat, dog = picture("cat.jpg"), picture("dog.jpg")
    act(keeper, "keep", cat, dog)
    assert Media.objects.filter(is_in_library=True).count() == 2
    act(keeper, "tag", cat, dog, tags="pets, grey")
    assert [tag.media.count() for tag in Tag.objects.all()] == [2, 2]
    act(keeper, "let_go", cat)
    assert Media.objects.filter(is_in_library=True).get() == dog


def test_the_picker_offers_what_can_be_attached(keeper: Client) -> None:
    cat = picture(HOSTILE, alt_text=HOSTILE)
    picture("gone.jpg", file_deleted_at=clock.now())
    set_tags(cat, ["pets"])
    answer = keeper.get(PICK, {"q": "script", "tag": "pets"})
    text = answer.content.decode()
    assert answer.status_code == 200
    assert "<html" not in text
    assert text.count("data-media-id=") == 1
    assert f'data-media-id="{cat.pk}"' in text
    assert f'data-thumbnail="{reverse("posts:thumbnail", args=[cat.uuid])}"' in text
    assert 'data-kind="image"' in text
    assert "<script" not in text
    assert html.unescape(re.findall(r'data-alt="([^"]*)"', text)[0]) == HOSTILE
    assert "No file matches" in keeper.get(PICK, {"q": "nothing"}).content.decode()
    for nonsense in ({"p": "9" * 30}, {"p": "x"}, {"q": "\0"}, {"tag": "\0"}, {"q": "x" * 5000}):
        assert keeper.get(PICK, nonsense).status_code == 200
    assert keeper.post(PICK).status_code == 405


def test_the_picker_turns_pages(keeper: Client) -> None:
    for number in range(25):
        picture(f"{number}.jpg")
    first = keeper.get(PICK).content.decode()
    assert first.count("data-media-id=") == 24
    assert "Older files" in first
    second = keeper.get(PICK, {"p": "2"}).content.decode()
    assert second.count("data-media-id=") == 1
    assert "Newer files" in second
    assert "Older files" not in second


def test_tags_are_renamed_merged_and_deleted(keeper: Client) -> None:
    cat = picture("cat.jpg")
    set_tags(cat, ["cats", "pets"])
    cats = Tag.objects.get(name="cats")
    data = {"tag": str(cats.pk), "name": "pets"}
    asked = keeper.post(TAGS, {**data, "_rename": "yes"}).content.decode()
    assert "There is a tag “pets” already" in asked
    keeper.post(TAGS, {**data, "_merge": "yes"})
    pets = cat.tags.get()
    keeper.post(TAGS, {"tag": str(pets.pk), "name": HOSTILE[:40], "_rename": "yes"})
    text = keeper.get(TAGS).content.decode()
    assert "<script" not in text.replace("<script src=", "").replace('<script type="module" src=', "")
    assert "1 file</a>" in text
    assert "taken off all" in keeper.post(TAGS, {"tag": str(pets.pk), "_delete": "yes"}).content.decode()
    assert Tag.objects.exists()
    keeper.post(TAGS, {"tag": str(pets.pk), "_delete_surely": "yes"})
    assert not Tag.objects.exists()
    assert keeper.post(TAGS, {"tag": str(pets.pk), "_delete_surely": "yes"}).status_code == 302
    assert LogEntry.objects.count() == 3


@pytest.mark.parametrize("button", ["_rename", "_merge", "_delete", "_delete_surely", "_other"])
def test_tags_are_for_those_who_may(button: str) -> None:
    set_tags(picture(), ["pets"])
    tag = Tag.objects.get()
    viewer = browser(person("viewer", VIEWER))
    assert viewer.post(TAGS, {"tag": tag.pk, "name": "x", button: "yes"}).status_code == 403
    assert 'name="_rename"' not in viewer.get(TAGS).content.decode()
    assert Tag.objects.get().name == "pets"


def test_nobody_changes_files_of_others() -> None:
    hers = picture("hers.jpg", owner=person("her"))
    other = browser(person("other", LIBRARIAN))
    assert save(other, hers, alt_text="mine").status_code == 403
    for action in ("keep", "delete", "tag"):
        act(other, action, hers, tags="x")
    hers.refresh_from_db()
    assert (hers.alt_text, hers.is_in_library, hers.tags.count()) == ("", False, 0)
    assert names(other) == []


def test_the_list_of_files_is_what_it_says(keeper: Client) -> None:
    assert list_of(Media) == LIBRARY


def test_a_whole_library_is_not_looked_at_file_by_file(keeper: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "MOST_AT_ONCE", 2)
    for place in range(3):
        picture(f"{place}.jpg")
    answer = keeper.post(LIBRARY, {"action": "delete", "index": "0", "select_across": "1"})
    assert answer.status_code == 302
    assert "takes at most 2 at a time" in messages_of(answer)
    assert Media.objects.count() == 3
