"""A status whose answer was lost: what a repeat does, and how it is found among what the account has posted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from posts.platforms.mastodon import PLATFORM
from posts.publishing.errors import OutcomeUnknown, Temporary
from posts.publishing.platform import Session
from posts.publishing.types import Absent, CannotTell, Found, MediaFile
from tests.posts.platforms import test_mastodon
from tests.posts.platforms.contract import MemoryCheckpoints, content, picture
from tests.posts.platforms.fake_mastodon import TOKEN, FakeMastodon, as_html
from tests.posts.platforms.test_mastodon import LIST, STATUSES

STEPS = test_mastodon.TestMastodon()


@pytest.fixture
def server() -> Iterator[FakeMastodon]:
    with FakeMastodon() as server:
        yield server


# Repeats


def lost(server: FakeMastodon, session: Session, *media: MediaFile, text: str = "Hello") -> Any:
    """Send once, store, and lose the answer; return the snapshot."""
    snapshot = PLATFORM.prepare(session, content(text, *media), MemoryCheckpoints())
    server.fault(STATUSES, kind="cut", after=True)
    with STEPS.refused(OutcomeUnknown, "connection_lost"):
        PLATFORM.commit(session, snapshot)
    return snapshot


def test_a_repeat_within_the_hour_is_answered_with_the_first_post(server: FakeMastodon) -> None:
    session = STEPS.session(server)
    snapshot = lost(server, session)
    published = PLATFORM.commit(replace(session, sent_before=True), snapshot)
    assert [post["status"] for post in server.accepted] == [published.id]
    keys = [seen.headers["idempotency-key"] for seen in server.seen if seen.path == STATUSES]
    assert keys == [snapshot["key"]] * 2


def test_after_an_hour_the_key_is_forgotten_and_the_list_is_not(server: FakeMastodon) -> None:
    session = STEPS.session(server)
    snapshot, marked_at = lost(server, session), datetime.now(UTC)
    server.now_offset = timedelta(minutes=61)
    assert isinstance(PLATFORM.find(session, snapshot, marked_at), Found)
    PLATFORM.commit(replace(session, sent_before=True), snapshot)
    assert len(server.accepted) == 2, "which is why the list is read before anything is repeated"


def test_a_server_that_still_stores_the_first_one_keeps_the_outcome_unknown(server: FakeMastodon) -> None:
    session = STEPS.session(server)
    snapshot = lost(server, session)
    STEPS.refuse(server, 503, "There was a temporary problem serving your request, please try again")
    with STEPS.refused(OutcomeUnknown, "server_error"):
        PLATFORM.commit(replace(session, sent_before=True), snapshot)


def test_a_server_that_fails_on_repeats_is_looked_up(server: FakeMastodon) -> None:
    server.repeats = "fails"
    session = STEPS.session(server)
    snapshot = lost(server, session)
    with STEPS.refused(OutcomeUnknown, "server_error"):
        PLATFORM.commit(replace(session, sent_before=True), snapshot)
    found = PLATFORM.find(session, snapshot, datetime.now(UTC))
    assert isinstance(found, Found)
    assert found.published.id == server.accepted[0]["status"]
    assert len(server.accepted) == 1


@pytest.mark.parametrize("spelling", ["Mastodon", "GoToSocial"])
def test_a_repeat_whose_files_are_used_up_is_found_by_them(server: FakeMastodon, spelling: str) -> None:
    """The server ignores the key; the files keep it from posting twice."""
    media = picture()
    server.repeats = "posts again"
    session = STEPS.session(server, media)
    snapshot = lost(server, session, media)
    if spelling == "GoToSocial":
        STEPS.refuse(server, 400, f"Bad Request: media already attached to status: {server.accepted[0]['status']}")
    published = PLATFORM.commit(replace(session, sent_before=True), snapshot)
    assert [post["status"] for post in server.accepted] == [published.id]


def test_a_refusal_in_another_language_is_looked_into_on_a_repeat(server: FakeMastodon) -> None:
    media = picture()
    session = STEPS.session(server, media)
    snapshot = lost(server, session, media)
    STEPS.refuse(server, 422, "Medien 1 nicht gefunden oder bereits an einen anderen Beitrag angehängt")
    assert PLATFORM.commit(replace(session, sent_before=True), snapshot).id == server.accepted[0]["status"]


def test_used_files_that_the_list_does_not_show_yet_stay_unknown_for_a_while(server: FakeMastodon) -> None:
    media = picture()
    server.repeats = "posts again"
    session = replace(STEPS.session(server, media), sent_before=True)
    snapshot = lost(server, session, media)
    server.list_hides = 1
    with STEPS.refused(OutcomeUnknown, "mastodon.media_taken"):
        PLATFORM.commit(session, snapshot)
    server.statuses.clear()
    later = replace(session, now=lambda: datetime.now(UTC) + timedelta(minutes=11))
    with STEPS.refused(Temporary, "mastodon.media_taken") as caught:
        PLATFORM.commit(later, snapshot)
    assert caught.value.restart


def test_a_list_that_cannot_be_read_keeps_used_files_unknown(server: FakeMastodon) -> None:
    media = picture()
    server.repeats = "posts again"
    session = replace(STEPS.session(server, media), sent_before=True)
    snapshot = lost(server, session, media)
    server.fault(LIST, status=502, body="<html>bad gateway</html>")
    with STEPS.refused(OutcomeUnknown, "mastodon.media_taken"):
        PLATFORM.commit(session, snapshot)


def test_the_key_changes_with_the_wording_and_with_nothing_else(server: FakeMastodon) -> None:
    session = STEPS.session(server)
    keys = {
        PLATFORM.prepare(session, post, MemoryCheckpoints())["key"]
        for post in (
            content("Hello"),
            content("Hello"),
            content("Hello!"),
            replace(content("Hello"), options={"visibility": "direct"}),
            replace(content("Hello"), key="other"),
        )
    }
    assert len(keys) == 4


def test_where_a_key_replays_a_refusal_the_next_try_has_another(server: FakeMastodon) -> None:
    server.instance = {**server.instance, "version": "2.7.2 (compatible; Akkoma 3.15.2)", "api_versions": {}}
    times = iter(datetime(2026, 11, 22, 7, n, tzinfo=UTC) for n in range(9))
    session = replace(STEPS.session(server), now=lambda: next(times))
    first, second = (PLATFORM.prepare(session, content("Hello"), MemoryCheckpoints()) for _ in range(2))
    assert first["key"] != second["key"]


# Looking up


def look(server: FakeMastodon, session: Session, snapshot: Any, minutes_ago: float = 0) -> Any:
    return PLATFORM.find(session, snapshot, datetime.now(UTC) - timedelta(minutes=minutes_ago))


@pytest.mark.parametrize(
    "text",
    [
        "Hello",
        "Two\nlines\n\nand a <b>paragraph</b> & more",
        "A link https://example.com/a/very/long/path/that/is/shortened?x=1&y=2 inside",
        "Hello @bob@remote.example and #tag, “quoted” – d’accord",
        "https://example.com/only-a-link",
        "👋🏽",
    ],
)
def test_a_text_is_found_in_its_html(server: FakeMastodon, text: str) -> None:
    session = STEPS.session(server)
    snapshot = PLATFORM.prepare(session, content(text), MemoryCheckpoints())
    assert look(server, session, snapshot) == Absent()
    assert server.seen[-1].query == {"limit": "40", "exclude_reblogs": "true"}
    published = PLATFORM.commit(session, snapshot)
    assert look(server, session, snapshot) == Found(published)


def test_another_link_alone_is_not_ours(server: FakeMastodon) -> None:
    session = STEPS.session(server)
    snapshot = PLATFORM.prepare(session, content("https://example.com/a"), MemoryCheckpoints())
    server.post_by_hand("https://example.com/b", "SocialQ")
    assert look(server, session, snapshot) == CannotTell("mastodon.similar_post")


def test_an_older_post_with_the_same_text_is_not_ours(server: FakeMastodon) -> None:
    session = STEPS.session(server)
    made = datetime.now(UTC) - timedelta(minutes=30)
    server.post_by_hand("Hello", "SocialQ", created_at=made.isoformat())
    snapshot = PLATFORM.prepare(session, content("Hello"), MemoryCheckpoints())
    assert look(server, session, snapshot) == Absent()
    assert isinstance(look(server, session, snapshot, minutes_ago=31), Found)


def test_the_same_text_by_another_app_is_not_ours(server: FakeMastodon) -> None:
    connection = STEPS.connect_with(server, application="SocialQ")
    session = replace(STEPS.session(server), config=connection.config)
    snapshot = PLATFORM.prepare(session, content("Hello"), MemoryCheckpoints())
    server.post_by_hand("Hello", "Ivory")
    assert look(server, session, snapshot) == Absent()
    server.post_by_hand("Hello", "SocialQ")
    assert isinstance(look(server, session, snapshot), Found)


def test_two_with_the_same_text_are_for_a_person_to_tell_apart(server: FakeMastodon) -> None:
    session = STEPS.session(server)
    snapshot = lost(server, session)
    server.post_by_hand("Hello")
    assert look(server, session, snapshot) == CannotTell("mastodon.several_alike")


def test_a_text_that_the_server_has_changed_is_neither_found_nor_absent(server: FakeMastodon) -> None:
    session = STEPS.session(server)
    snapshot = PLATFORM.prepare(session, content("The quick brown fox jumps"), MemoryCheckpoints())
    server.post_by_hand("The quick b***n fox jumps")
    assert look(server, session, snapshot) == CannotTell("mastodon.similar_post")


def test_another_post_meanwhile_does_not_matter(server: FakeMastodon) -> None:
    session = STEPS.session(server)
    snapshot = PLATFORM.prepare(session, content("The quick brown fox jumps"), MemoryCheckpoints())
    server.post_by_hand("Good morning everybody")
    assert look(server, session, snapshot) == Absent()


def test_equal_parts_of_a_thread_are_told_apart_by_what_they_answer(server: FakeMastodon) -> None:
    session = STEPS.session(server)
    first = STEPS.commit(session, "Same")
    snapshot = PLATFORM.prepare(session, replace(content("Same"), part=1), MemoryCheckpoints())
    thread = replace(session, thread=(first,))
    assert look(server, thread, snapshot) == Absent()
    second = PLATFORM.commit(thread, {**snapshot, "key": "second"})
    assert look(server, thread, snapshot) == Found(second)


def test_a_post_is_found_by_its_files_whatever_became_of_its_text(server: FakeMastodon) -> None:
    media = picture()
    session = STEPS.session(server, media)
    snapshot = lost(server, session, media)
    server.statuses[0]["content"] = "<p>Something else</p>"
    assert isinstance(look(server, session, snapshot), Found)


def test_files_numbered_anew_leave_the_text_to_tell(server: FakeMastodon) -> None:
    media = picture()
    session = STEPS.session(server, media)
    snapshot = lost(server, session, media)
    server.statuses[0]["media_attachments"][0]["id"] = "-1870"
    assert isinstance(look(server, session, snapshot), Found)
    wordless = {**snapshot, "body": {**snapshot["body"], "status": ""}}
    server.statuses[0]["content"] = ""
    assert look(server, session, wordless) == CannotTell("mastodon.similar_post")


def test_a_warning_without_text_is_the_text(server: FakeMastodon) -> None:
    media = picture()
    session = STEPS.session(server, media)
    post = replace(content("", media), options={"content_warning": "Spider"})
    snapshot = PLATFORM.prepare(session, post, MemoryCheckpoints())
    PLATFORM.commit(session, snapshot)
    server.statuses[0] |= {"content": as_html("Spider"), "spoiler_text": ""}
    server.statuses[0]["media_attachments"][0]["id"] = "-1870"
    assert isinstance(look(server, session, snapshot), Found)


def test_a_list_without_an_end_tells_nothing(server: FakeMastodon) -> None:
    session = STEPS.session(server)
    snapshot = PLATFORM.prepare(session, content("Hello"), MemoryCheckpoints())
    for number in range(45):
        server.post_by_hand(f"Number {number} of many")
    assert look(server, session, snapshot) == CannotTell("mastodon.too_many_posts")


@pytest.mark.parametrize(
    ("software", "finding"), [("mastodon", Absent()), ("akkoma", CannotTell("mastodon.direct_unseen"))]
)
def test_a_direct_post_is_absent_only_where_it_would_be_shown(
    server: FakeMastodon, software: str, finding: Any
) -> None:
    session = STEPS.session(server)
    session = replace(session, config={**session.config, "software": software})
    post = replace(content("Hi @bob@remote.example"), options={"visibility": "direct"})
    snapshot = PLATFORM.prepare(session, post, MemoryCheckpoints())
    assert look(server, session, snapshot) == finding
    PLATFORM.commit(session, snapshot)
    assert isinstance(look(server, session, snapshot), Found)


def test_a_token_that_may_not_read_tells_nothing(server: FakeMastodon) -> None:
    session = STEPS.session(server)
    snapshot = lost(server, session)
    server.grants[TOKEN].scopes = "read:accounts write"
    assert look(server, session, snapshot) == CannotTell("mastodon.cannot_read")


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, "<html>", "bad_answer"),
        (200, {"error": "x"}, "bad_answer"),
        (404, {"error": "Record not found"}, "unexpected_answer"),
        (500, "", "server_error"),
    ],
)
def test_a_look_that_fails_is_no_answer(server: FakeMastodon, status: int, body: Any, code: str) -> None:
    session = STEPS.session(server)
    snapshot = PLATFORM.prepare(session, content("Hello"), MemoryCheckpoints())
    server.fault(LIST, status=status, body=body)
    with STEPS.refused(Temporary, code):
        look(server, session, snapshot)


def test_odd_entries_of_the_list_are_no_match(server: FakeMastodon) -> None:
    session = STEPS.session(server)
    snapshot = PLATFORM.prepare(session, content("Hello"), MemoryCheckpoints())
    odd = [None, 7, {}, {"id": None, "media_attachments": [None], "content": None, "application": "x"}]
    server.fault(LIST, status=200, body=json.dumps(odd))
    assert look(server, session, snapshot) == Absent()
