"""What is read out of Telegram's updates: texts with their links, files, albums, and what can be no post."""

from __future__ import annotations

from typing import Any

import pytest

from posts.platforms._telegram_updates import File, Malformed, Message, message_of, readable


def told(**message: Any) -> dict[str, Any]:
    said = {"message_id": 7, "date": 1_800_000_000, "chat": {"id": 4242, "type": "private", "first_name": "Ada"}}
    return said | {"from": {"id": 4242, "is_bot": False, "first_name": "Ada"}} | message


def read(kind: str = "message", **message: Any) -> Message:
    found = message_of({"update_id": 1, kind: told(**message)})
    assert found is not None
    return found


def link(offset: int, length: int, url: str = "https://example.org/a") -> dict[str, Any]:
    return {"type": "text_link", "offset": offset, "length": length, "url": url}


@pytest.mark.parametrize(
    ("text", "entities", "expected"),
    [
        ("👩‍👩‍👧 read this now", [link(9, 9)], "👩‍👩‍👧 read this (https://example.org/a) now"),
        ("𝕏 and 𝕐", [link(0, 2), link(7, 2, "https://b.example")], "𝕏 (https://example.org/a) and 𝕐 (https://b.example)"),
        ("here \nnext", [link(0, 5)], "here (https://example.org/a) \nnext"),
        ("https://example.org/a/", [link(0, 22)], "https://example.org/a/"),
        ("bold @ada #tag", [{"type": "bold", "offset": 0, "length": 4}, {"type": "mention", "offset": 5, "length": 4}],
         "bold @ada #tag"),
        ("person", [link(0, 6, "tg://user?id=1")], "person"),
        ("short", [link(3, 99)], "short (https://example.org/a)"),
        ("odd 👍", [link(5, 99)], "odd 👍"),
        ("odd", [None, 7, {"type": "text_link"}, link(9, 9), link(-5, 2)], "odd"),
        ("odd", "no list", "odd"),
    ],
)  # fmt: skip
def test_markup_goes_and_the_address_of_a_link_stands_behind_its_words(text: str, entities: Any, expected: str) -> None:
    assert readable(text, entities) == expected


def test_a_text_that_no_database_stores_is_cleaned() -> None:
    assert read(text="a\0b\ud800c").text == "abc"


def test_of_a_photo_the_largest_size_is_taken_with_its_caption() -> None:
    sizes = [{"file_id": "small", "width": 90, "height": 90}, {"file_id": "large", "width": 900, "height": 900}]
    found = read(photo=[*sizes, {"file_id": "mid", "width": 300, "height": 300}], caption="👍 cat", media_group_id="9")
    assert (found.file, found.text, found.album) == (File("large", "photo-7.jpg", 0), "👍 cat", "9")
    assert found.kind == "post"


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ({"video": {"file_id": "f", "file_name": "clip.mov"}}, "clip.mov"),
        ({"animation": {"file_id": "f"}, "document": {"file_id": "f", "mime_type": "video/mp4"}}, "animation-7.mp4"),
        ({"document": {"file_id": "f", "mime_type": "application/pdf", "file_name": "plan.pdf"}}, "plan.pdf"),
        ({"document": {"file_id": "f", "mime_type": "image/png"}}, "document-7.bin"),
    ],
)
def test_videos_animations_and_documents_that_are_files_of_posts(message: dict[str, Any], name: str) -> None:
    found = read(**message)
    assert found.file is not None
    assert (found.file.name, found.kind) == (name, "post")


ZIP = {"file_id": "d", "mime_type": "application/zip"}
COMMAND = [{"type": "bot_command", "offset": 0, "length": 6}]


@pytest.mark.parametrize(
    ("kind", "message", "expected"),
    [
        ("message", {"voice": {"file_id": "v"}}, ("unsupported", "voice")),
        ("message", {"audio": {"file_id": "v"}, "caption": "A song"}, ("unsupported", "audio")),
        ("message", {"poll": {"id": "1"}}, ("unsupported", "poll")),
        ("message", {"document": ZIP}, ("unsupported", "document (application/zip)")),
        ("message", {"text": "/start", "entities": COMMAND}, ("command", "")),
        ("message", {"text": "/etc is a folder"}, ("post", "")),
        ("message", {"new_chat_members": []}, ("service", "")),
        ("message", {"text": "  "}, ("service", "")),
        ("message", {"text": "beep", "from": {"id": 9, "is_bot": True}}, ("bot", "")),
        ("message", {"text": "x", "from": {"id": 9, "is_bot": True}, "sender_chat": {"id": 4242}}, ("post", "")),
        ("edited_message", {"text": "better"}, ("edited", "")),
        ("edited_channel_post", {"text": "better"}, ("edited", "")),
        ("channel_post", {"text": "news"}, ("post", "")),
    ],
)  # fmt: skip
def test_what_is_no_post_is_told_apart(kind: str, message: dict[str, Any], expected: tuple[str, str]) -> None:
    found = read(kind, **message)
    assert (found.kind, found.what) == expected


def test_a_person_is_let_in_by_their_own_number_and_by_the_chats() -> None:
    group = {"id": -100, "type": "supergroup", "title": "Desk"}
    assert read(text="x", chat=group).senders == (-100, 4242)
    anonymous = {"from": {"id": 1087968824, "is_bot": True}, "sender_chat": group}
    assert read(text="x", chat=group, **anonymous).senders == (-100,)
    assert read(text="x", chat=group).chat_name == "Desk"


@pytest.mark.parametrize(
    "update",
    [
        {"message": told(text="x")},
        {"update_id": "1", "message": told(text="x")},
        {"update_id": True, "message": told(text="x")},
        {"update_id": 2**63, "message": told(text="x")},
        {"update_id": 1, "message": []},
        {"update_id": 1, "message": told(text="x", chat=7)},
        {"update_id": 1, "message": told(text="x", date=None)},
        {"update_id": 1, "message": told(text="x", **{"from": "ada"})},
        {"update_id": 1, "message": told(photo=[])},
        {"update_id": 1, "message": told(photo={"file_id": "x"})},
        {"update_id": 1, "message": told(video={"file_id": 7})},
    ],
)
def test_what_is_no_update_is_malformed(update: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        message_of(update)


def test_what_is_about_something_else_is_no_message() -> None:
    assert message_of({"update_id": 1, "my_chat_member": {}}) is None


def test_an_album_of_another_form_is_none() -> None:
    assert [read(text="x", media_group_id=odd).album for odd in ("1; DROP", "x" * 65, 7, None)] == [""] * 4
