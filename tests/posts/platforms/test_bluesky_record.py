"""What a Bluesky post can be beside a text with pictures: a thread, a gallery, gated, with a warning, in languages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from posts.platforms.bluesky import PLATFORM
from posts.publishing.errors import ContentRejected, OutcomeUnknown, PublishError, RateLimited, TokenExpired
from posts.publishing.platform import Session
from posts.publishing.types import Absent, Content, Draft, Found, Json
from tests.posts.platforms.contract import KEY, KEYED_AT, MemoryCheckpoints, an_http, content, picture
from tests.posts.platforms.fake_pds import PASSWORD, FakePds, did_of

APPLY = "com.atproto.repo.applyWrites"
PUT = "com.atproto.repo.putRecord"
GET = "com.atproto.repo.getRecord"
THREADGATE, POSTGATE = "app.bsky.feed.threadgate", "app.bsky.feed.postgate"
DID = did_of("alice.test")


@pytest.fixture
def server() -> Iterator[FakePds]:
    with FakePds() as server:
        yield server


@pytest.fixture
def session(server: FakePds) -> Session:
    session = Session(an_http(), {}, {}, lambda: datetime.now(UTC))
    connection = PLATFORM.connect(session, {"identifier": "alice.test", "password": PASSWORD, "service": server.url})
    return replace(session, credentials=connection.credentials, config=connection.config)


def parts(*texts: str, comment: str = "", **options: Any) -> list[Content]:
    """The contents of a thread as the kit makes them."""
    whole = [*texts, *([comment] if comment else [])]
    return [
        Content(
            key=f"{KEY}-{part}" if part else KEY,
            keyed_at=KEYED_AT + timedelta(milliseconds=part),
            text=text,
            options=options,
            part=part,
            parts=len(whole),
            kind="comment" if part >= len(texts) else "post",
        )
        for part, text in enumerate(whole)
    ]


def publish(session: Session, contents: list[Content]) -> Session:
    """Prepare all parts, then commit one after the other, as the kit does; return the session with the thread."""
    snapshots = [PLATFORM.prepare(session, each, MemoryCheckpoints()) for each in contents]
    for snapshot in snapshots:
        session = replace(session, thread=(*session.thread, PLATFORM.commit(session, snapshot)))
    return session


def prepared(session: Session, post: Content) -> Json:
    return PLATFORM.prepare(session, post, MemoryCheckpoints())


# Threads


def test_a_thread_answers_the_post_before_and_names_the_first_as_its_root(server: FakePds, session: Session) -> None:
    thread = publish(session, parts("One", "Two", "Three", comment="Below")).thread
    references = [{"uri": part.id, "cid": part.response["cid"]} for part in thread]
    replies = [post["record"].get("reply") for post in server.accepted]
    assert replies == [
        None,
        {"root": references[0], "parent": references[0]},
        {"root": references[0], "parent": references[1]},
        {"root": references[0], "parent": references[0]},
    ]
    keys = [post["key"] for post in server.accepted]
    times = [post["record"]["createdAt"] for post in server.accepted]
    assert keys == sorted(keys)
    assert times == sorted(times)
    assert len(set(keys)) == len(set(times)) == 4


def test_a_part_whose_answer_was_lost_is_found_and_repeated_safely(server: FakePds, session: Session) -> None:
    first, second = (prepared(session, each) for each in parts("One", "Two"))
    session = replace(session, thread=(PLATFORM.commit(session, first),))
    assert PLATFORM.find(session, second, datetime.now(UTC)) == Absent()
    server.fault(PUT, kind="cut", after=True)
    with pytest.raises(OutcomeUnknown):
        PLATFORM.commit(session, second)
    finding = PLATFORM.find(session, second, datetime.now(UTC))
    assert isinstance(finding, Found)
    assert PLATFORM.commit(session, second) == finding.published
    assert len(server.accepted) == 2


def test_an_answer_without_a_cid_is_unknown_since_no_part_could_follow(server: FakePds, session: Session) -> None:
    snapshot = prepared(session, content())
    uri = f"at://{DID}/app.bsky.feed.post/{snapshot['rkey']}"
    server.fault(PUT, status=200, body={"uri": uri}, after=True)
    with pytest.raises(OutcomeUnknown) as caught:
        PLATFORM.commit(session, snapshot)
    assert caught.value.code == "bad_answer"


# Gates


@pytest.mark.parametrize(
    ("replies", "allow"),
    [
        ("mentioned", [{"$type": f"{THREADGATE}#mentionRule"}]),
        ("following", [{"$type": f"{THREADGATE}#followingRule"}]),
        ("followers", [{"$type": f"{THREADGATE}#followerRule"}]),
        ("nobody", []),
    ],
)
def test_post_and_gate_are_one_write(server: FakePds, session: Session, replies: str, allow: list[Json]) -> None:
    (post,) = parts("Hi", replies=replies)
    published = PLATFORM.commit(session, prepared(session, post))
    sent = server.seen[-1].json()
    assert server.seen[-1].path.endswith(APPLY)
    assert sent["repo"] == DID
    written, gate = sent["writes"]
    assert written["$type"] == gate["$type"] == "com.atproto.repo.applyWrites#create"
    assert (written["collection"], gate["collection"]) == ("app.bsky.feed.post", THREADGATE)
    assert written["rkey"] == gate["rkey"]
    created = written["value"]["createdAt"]
    assert gate["value"] == {"$type": THREADGATE, "post": published.id, "createdAt": created, "allow": allow}
    assert published.response["cid"] == server._cid(written["value"])


def test_everyone_needs_no_gate(server: FakePds, session: Session) -> None:
    publish(session, parts("Hi", replies="everyone", no_quotes=False))
    assert server.seen[-1].path.endswith(PUT)
    assert not server.gates


def test_every_part_may_be_kept_from_being_quoted_and_the_first_says_who_answers(
    server: FakePds, session: Session
) -> None:
    publish(session, parts("One", "Two", replies="nobody", no_quotes=True))
    first, second = (post["key"] for post in server.accepted)
    assert {(collection, key) for _, collection, key in server.gates} == {
        (THREADGATE, first),
        (POSTGATE, first),
        (POSTGATE, second),
    }
    rules = [{"$type": f"{POSTGATE}#disableRule"}]
    assert all(gate["embeddingRules"] == rules for (_, kind, _), gate in server.gates.items() if kind == POSTGATE)
    assert server.accepted[1]["record"]["reply"]["root"]["uri"].endswith(first)


def test_a_gated_post_whose_answer_was_lost_is_found_and_not_made_again(server: FakePds, session: Session) -> None:
    (post,) = parts("Hi", replies="nobody")
    snapshot = prepared(session, post)
    server.fault(APPLY, kind="cut", after=True)
    with pytest.raises(OutcomeUnknown):
        PLATFORM.commit(session, snapshot)
    with pytest.raises(OutcomeUnknown) as caught:  # the key is taken: a plain 500
        PLATFORM.commit(session, snapshot)
    assert caught.value.code == "server_error"
    finding = PLATFORM.find(session, snapshot, datetime.now(UTC))
    assert isinstance(finding, Found)
    assert PLATFORM.commit(replace(session, sent_before=True), snapshot) == finding.published
    assert len(server.accepted) == 1
    assert len(server.gates) == 1


@pytest.mark.parametrize(
    ("status", "name"), [(500, "InternalServerError"), (400, "InvalidRequest"), (400, "RecordAlreadyExists")]
)
def test_however_a_taken_key_is_refused_the_post_is_looked_up(
    server: FakePds, session: Session, status: int, name: str
) -> None:
    (post,) = parts("Hi", replies="nobody")
    snapshot = prepared(session, post)
    first = PLATFORM.commit(session, snapshot)
    server.fault(APPLY, status=status, body={"error": name})
    assert PLATFORM.commit(replace(session, sent_before=True), snapshot) == first


@pytest.mark.parametrize(
    ("status", "name", "kind"),
    [
        (400, "ExpiredToken", TokenExpired),
        (400, "InvalidRequest", ContentRejected),
        (429, "RateLimitExceeded", RateLimited),
        (502, "", OutcomeUnknown),
    ],
)
def test_a_refusal_of_what_was_sent_before_and_is_not_there_is_what_it_says(
    server: FakePds, session: Session, status: int, name: str, kind: type[PublishError]
) -> None:
    (post,) = parts("Hi", replies="nobody")
    server.fault(APPLY, status=status, body={"error": name})
    with pytest.raises(PublishError) as caught:
        PLATFORM.commit(replace(session, sent_before=True), prepared(session, post))
    assert type(caught.value) is kind
    assert not server.accepted


@pytest.mark.parametrize("fault", [{"status": 502}, {"kind": "cut"}])
def test_a_refusal_that_cannot_be_checked_is_unknown(server: FakePds, session: Session, fault: Json) -> None:
    (post,) = parts("Hi", replies="nobody")
    snapshot = prepared(session, post)
    PLATFORM.commit(session, snapshot)
    server.fault(APPLY, status=400, body={"error": "InvalidRequest"})
    server.fault(GET, **fault)
    with pytest.raises(OutcomeUnknown):
        PLATFORM.commit(replace(session, sent_before=True), snapshot)


@pytest.mark.parametrize("body", [{}, {"results": []}, {"results": ["x"]}, {"results": [{"uri": "at://x"}]}, "<html>"])
def test_an_answer_that_does_not_name_the_post_is_unknown(server: FakePds, session: Session, body: Any) -> None:
    (post,) = parts("Hi", replies="nobody")
    server.fault(APPLY, status=200, body=body, after=True)
    with pytest.raises(OutcomeUnknown) as caught:
        PLATFORM.commit(session, prepared(session, post))
    assert caught.value.code == "bad_answer"


# What a post carries and says of itself


@pytest.mark.parametrize("count", [4, 5, 10])
def test_more_pictures_than_four_make_a_gallery(server: FakePds, session: Session, count: int) -> None:
    media = [picture(f"p{number}", width=9, alt_text=f"No. {number}") for number in range(count)]
    PLATFORM.commit(session, prepared(session, content("Look", *media)))
    embed = server.accepted[0]["record"]["embed"]
    if count <= 4:
        assert embed["$type"] == "app.bsky.embed.images"
        assert len(embed["images"]) == count
        return
    assert embed["$type"] == "app.bsky.embed.gallery"
    assert [item["alt"] for item in embed["items"]] == [each.alt_text for each in media]
    assert {item["$type"] for item in embed["items"]} == {"app.bsky.embed.gallery#image"}
    assert all(item["aspectRatio"] == {"width": 9, "height": 6} for item in embed["items"])


def test_warning_and_languages(server: FakePds, session: Session) -> None:
    (post,) = parts("Hi", warning="graphic-media", languages=["de", "en", "pt-BR"])
    publish(session, [replace(post, language="en")])
    record = server.accepted[0]["record"]
    assert record["langs"] == ["en", "de", "pt-BR"]
    labels = {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "graphic-media"}]}
    assert record["labels"] == labels


def test_nothing_chosen_adds_nothing(server: FakePds, session: Session) -> None:
    publish(session, parts("Hi"))
    assert set(server.accepted[0]["record"]) == {"$type", "text", "createdAt"}


@pytest.mark.parametrize("language", ["deutsch", "d", "pt_BR", "de-", "日本"])
def test_what_is_no_language_is_said_before_and_never_sent(server: FakePds, session: Session, language: str) -> None:
    (problem,) = PLATFORM.problems(Draft(("Hi",), options={"languages": ["de", language]}), {})
    assert (problem.code, problem.field, problem.params) == (
        "bluesky.language_unknown",
        "languages",
        {"language": language},
    )
    with pytest.raises(ContentRejected, match=r"bluesky\.language_unknown"):
        prepared(session, replace(content(), options={"languages": [language]}))


def test_a_snapshot_of_an_earlier_release_still_goes_out(server: FakePds, session: Session) -> None:
    snapshot = prepared(session, content())
    PLATFORM.commit(session, {"rkey": snapshot["rkey"], "record": snapshot["record"]})
    assert len(server.accepted) == 1


# Limits


def test_a_success_that_was_the_last_one_is_told(server: FakePds, session: Session) -> None:
    told: list[tuple[datetime, str]] = []
    session = replace(session, exhausted=lambda until, scope: told.append((until, scope)))
    reset = int((datetime.now(UTC) + timedelta(minutes=4)).timestamp())
    for number, remaining in enumerate(("12", "0")):
        snapshot = prepared(session, replace(content(), keyed_at=KEYED_AT + timedelta(seconds=number)))
        answer = {"uri": f"at://{DID}/app.bsky.feed.post/{snapshot['rkey']}", "cid": "bafyone"}
        headers = {"RateLimit-Remaining": remaining, "RateLimit-Reset": str(reset)}
        server.fault(PUT, status=200, body=answer, headers=headers)
        PLATFORM.commit(session, snapshot)
    assert told == [(datetime.fromtimestamp(reset, UTC), "account")]
