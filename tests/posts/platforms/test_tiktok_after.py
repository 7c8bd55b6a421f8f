"""What becomes of a post that TikTok has taken, and what a draft is told beforehand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from posts.platforms._days import next_midnight
from posts.platforms._tiktok_api import FAIL_REASONS
from posts.platforms.tiktok import PLATFORM
from posts.publishing.errors import (
    ContentRejected,
    NotReady,
    PublishError,
    RateLimited,
    ReconnectNeeded,
    Temporary,
    TokenExpired,
)
from posts.publishing.types import Draft
from tests.posts.platforms.contract import MemoryCheckpoints, picture, video
from tests.posts.platforms.fake_tiktok import FIRST_ID, LEVELS_OF_PUBLIC, FakeTikTok
from tests.posts.platforms.test_tiktok import STATUS, VIDEO_INIT, now
from tests.posts.platforms.test_tiktok import TestTikTok as TikTokSteps

TIKTOK = TikTokSteps()


@pytest.fixture
def server() -> Iterator[FakeTikTok]:
    with FakeTikTok() as server:
        yield server


# Settling


def test_a_post_settles_once_its_id_is_there(server: FakeTikTok) -> None:
    session, snapshot, published = TIKTOK.taken(server)
    server.states = [
        {"status": "PROCESSING_UPLOAD", "uploaded_bytes": 4096},
        {"status": "PUBLISH_COMPLETE", "publicaly_available_post_id": []},
        {"status": "PUBLISH_COMPLETE"},
    ]
    for _ in range(3):
        with TIKTOK.refused(NotReady, "platform_processing") as caught:
            PLATFORM.settle(session, snapshot, published)
        assert caught.value.check_after_seconds == 10
    settled = PLATFORM.settle(session, snapshot, published)
    assert settled.settled
    assert (settled.id, settled.response["status"]) == (str(FIRST_ID), "PUBLISH_COMPLETE")
    assert settled.response["publish_id"] == published.id


def test_settling_needs_no_snapshot(server: FakeTikTok) -> None:
    session, _, published = TIKTOK.taken(server)
    assert PLATFORM.settle(session, {}, published).id == str(FIRST_ID)


def test_a_public_post_whose_id_does_not_come_settles_without_a_link(server: FakeTikTok) -> None:
    session, snapshot, published = TIKTOK.taken(server)
    states: list[dict[str, Any]] = [{"status": "PUBLISH_COMPLETE", "publicaly_available_post_id": []}]
    later = replace(session, now=lambda: now() + timedelta(minutes=59))
    server.states = list(states)
    with TIKTOK.refused(NotReady) as caught:
        PLATFORM.settle(later, snapshot, published)
    assert caught.value.check_after_seconds == 120
    server.states = list(states)
    much_later = replace(session, now=lambda: now() + timedelta(minutes=61))
    settled = PLATFORM.settle(much_later, snapshot, published)
    assert (settled.settled, settled.id, settled.url) == (True, published.id, "")


@pytest.mark.parametrize("privacy", ["SELF_ONLY", "MUTUAL_FOLLOW_FRIENDS"])
def test_a_post_that_is_not_public_settles_without_a_link_at_once(server: FakeTikTok, privacy: str) -> None:
    session, snapshot, published = TIKTOK.taken(server, privacy=privacy)
    settled = PLATFORM.settle(session, snapshot, published)
    assert (settled.settled, settled.id, settled.url) == (True, published.id, "")


def test_a_post_that_waits_in_the_inbox_is_delivered(server: FakeTikTok) -> None:
    session, snapshot, published = TIKTOK.taken(server)
    server.states = [{"status": "SEND_TO_USER_INBOX"}]
    settled = PLATFORM.settle(session, snapshot, published)
    assert (settled.settled, settled.response["status"]) == (True, "SEND_TO_USER_INBOX")


def test_without_the_creators_name_there_is_no_link(server: FakeTikTok) -> None:
    session, snapshot, published = TIKTOK.taken(server)
    nameless = replace(session, config={**session.config, "username": "a/../b"})
    assert PLATFORM.settle(nameless, snapshot, published).url == ""


@pytest.mark.parametrize(
    ("reason", "kind", "code"),
    [
        ("file_format_check_failed", ContentRejected, "tiktok.format_refused"),
        ("duration_check_failed", ContentRejected, "tiktok.duration_refused"),
        ("frame_rate_check_failed", ContentRejected, "tiktok.frame_rate_refused"),
        ("picture_size_check_failed", ContentRejected, "tiktok.size_refused"),
        ("publish_cancelled", ContentRejected, "tiktok.cancelled"),
        ("auth_removed", ContentRejected, "tiktok.access_removed"),
        ("spam_risk_user_banned_from_posting", ContentRejected, "tiktok.banned"),
        ("spam_risk", ContentRejected, "tiktok.spam"),
        ("spam_risk_text", ContentRejected, "tiktok.text_spam"),
        ("something_new", ContentRejected, "tiktok.failed"),
        ("", ContentRejected, "tiktok.failed"),
        ("internal", Temporary, "tiktok.internal"),
        ("video_pull_failed", Temporary, "tiktok.pull_failed"),
        ("photo_pull_failed", Temporary, "tiktok.pull_failed"),
        ("spam_risk_too_many_posts", Temporary, "tiktok.too_many_posts"),
        ("spam_risk_too_many_pending_share", Temporary, "tiktok.too_many_pending"),
        ("reached_active_user_cap", Temporary, "tiktok.user_cap"),
    ],
)
def test_a_post_that_tiktok_drops_is_not_live(
    server: FakeTikTok, reason: str, kind: type[PublishError], code: str
) -> None:
    session, snapshot, published = TIKTOK.taken(server)
    server.states = [{"status": "FAILED", "fail_reason": reason}]
    with TIKTOK.refused(kind, code) as caught:
        PLATFORM.settle(session, snapshot, published)
    error = caught.value
    if isinstance(error, Temporary):
        assert error.restart
        waits_for_tomorrow = reason.startswith("spam_risk") or reason == "reached_active_user_cap"
        assert (error.retry_after_seconds is not None) is waits_for_tomorrow


@pytest.mark.parametrize(
    ("refused", "kind", "code"),
    [
        ("access_token_invalid", TokenExpired, "token_expired"),
        ("scope_not_authorized", ReconnectNeeded, "tiktok.scope_missing"),
        ("rate_limit_exceeded", RateLimited, "rate_limited"),
        ("internal_error", Temporary, "server_error"),
        ("invalid_publish_id", NotReady, "tiktok.publish_unknown"),
        ("token_not_authorized_for_specified_publish_id", NotReady, "tiktok.publish_unknown"),
    ],
)
def test_a_fault_while_asking_is_no_verdict(
    server: FakeTikTok, refused: str, kind: type[PublishError], code: str
) -> None:
    session, snapshot, published = TIKTOK.taken(server)
    server.refuses[STATUS] = refused
    with TIKTOK.refused(kind, code) as caught:
        PLATFORM.settle(session, snapshot, published)
    assert not getattr(caught.value, "restart", False)
    assert PLATFORM.settle(session, snapshot, published).settled


def test_ids_of_64_bits_are_kept_exactly(server: FakeTikTok) -> None:
    published = TIKTOK.commit(TIKTOK.session(server))
    assert published.id == str(FIRST_ID)
    assert float(FIRST_ID) != FIRST_ID
    assert published.url == f"https://www.tiktok.com/@ada.films/video/{FIRST_ID}"
    assert TIKTOK.commit(TIKTOK.session(server, picture()), "Hi", picture()).url.endswith(f"/photo/{FIRST_ID + 1}")


def test_every_reason_to_fail_leads_to_an_error() -> None:
    for reason, make in FAIL_REASONS.items():
        error = make(detail=reason)
        assert isinstance(error, ContentRejected) or (isinstance(error, Temporary) and error.restart)


def test_a_day_ends_at_midnight_utc() -> None:
    assert next_midnight(datetime(2026, 12, 31, 23, 59, tzinfo=UTC)) == datetime(2027, 1, 1, tzinfo=UTC)


# Limits


@pytest.mark.parametrize("refused", ["spam_risk_too_many_posts", "reached_active_user_cap"])
def test_a_limit_of_the_day_holds_until_midnight_utc(server: FakeTikTok, refused: str) -> None:
    session = replace(TIKTOK.session(server), now=lambda: datetime(2026, 11, 22, 12, tzinfo=UTC))
    server.refuses[VIDEO_INIT] = refused
    with TIKTOK.refused(RateLimited) as caught:
        PLATFORM.prepare(session, TIKTOK.content(), MemoryCheckpoints())
    assert caught.value.until == datetime(2026, 11, 23, tzinfo=UTC)
    assert caught.value.scope == "account"


def test_the_seventh_announcement_of_a_minute_waits_one(server: FakeTikTok) -> None:
    for _ in range(6):
        TIKTOK.taken(server)
    with TIKTOK.refused(RateLimited, "rate_limited") as caught:
        TIKTOK.taken(server)
    assert timedelta(seconds=50) < caught.value.until - now() <= timedelta(seconds=60)


# Choices and drafts

CONFIG: dict[str, Any] = {"privacy_levels": LEVELS_OF_PUBLIC, "audited": True, "site_reachable": True}


def choices(config: dict[str, Any]) -> list[str]:
    (privacy,) = (option for option in PLATFORM.options_for(config) if option.name == "privacy")
    assert privacy.required
    assert privacy.default == ""
    return [value for value, _ in privacy.choices]


def test_who_can_see_it_is_one_of_the_creators_choices_without_a_default() -> None:
    assert choices(CONFIG) == LEVELS_OF_PUBLIC
    private = ["FOLLOWER_OF_CREATOR", "SELF_ONLY"]
    assert choices({**CONFIG, "privacy_levels": private}) == private
    assert choices({**CONFIG, "audited": False}) == ["SELF_ONLY"]
    assert choices({**CONFIG, "privacy_levels": ["SOMETHING_NEW"]}) == ["SOMETHING_NEW"]


def test_what_the_creator_has_switched_off_is_not_offered() -> None:
    names = {option.name for option in PLATFORM.options}
    config = {**CONFIG, "comment_disabled": True, "duet_disabled": True, "stitch_disabled": True}
    offered = {option.name for option in PLATFORM.options_for(config)}
    assert names - offered == {"allow_comment", "allow_duet", "allow_stitch"}


@pytest.mark.parametrize(("longest", "seconds"), [(300, 300), (3600, 600), (None, 600)])
def test_a_video_may_be_as_long_as_the_creator_may_post(longest: int | None, seconds: int) -> None:
    able = PLATFORM.capabilities_for({"max_seconds": longest})
    assert able.videos is not None
    assert able.videos.max_seconds == seconds


PUBLIC = {"privacy": "PUBLIC_TO_EVERYONE"}


@pytest.mark.parametrize(
    ("draft", "config", "problems"),
    [
        (Draft(("Hi",), (video(),), PUBLIC), CONFIG, set()),
        (Draft(("Hi",), (picture(),), PUBLIC), CONFIG, set()),
        (
            Draft(("Hi",), (picture(),), PUBLIC),
            {**CONFIG, "site_reachable": False},
            {("media_address_missing", "media")},
        ),
        (Draft(("Hi",), (video(),), PUBLIC), {**CONFIG, "site_reachable": False}, set()),
        (Draft(("😀" * 1100,), (video(),), PUBLIC), CONFIG, set()),
        (Draft(("😀" * 1101,), (video(),), PUBLIC), CONFIG, {("tiktok.text_too_long", "text")}),
        (Draft(("x" * 4000,), (picture(),), PUBLIC), CONFIG, set()),
        (Draft(("Hi",), (video(seconds=5),), {**PUBLIC, "cover_ms": 5000}), CONFIG, set()),
        (
            Draft(("Hi",), (video(seconds=5),), {**PUBLIC, "cover_ms": 5001}),
            CONFIG,
            {("tiktok.cover_outside", "cover_ms")},
        ),
        (
            Draft(("Hi",), (video(),), {"privacy": "SELF_ONLY", "brand_content": True}),
            CONFIG,
            {("tiktok.branded_private", "privacy")},
        ),
        (Draft(("Hi",), (video(),), {"privacy": "SELF_ONLY", "brand_organic": True}), CONFIG, set()),
    ],
)
def test_what_keeps_a_draft_from_going_out(
    draft: Draft, config: dict[str, Any], problems: set[tuple[str, str]]
) -> None:
    assert {(remark.code, remark.field) for remark in PLATFORM.problems(draft, config)} == problems


def test_an_app_without_audit_says_who_will_see_the_post() -> None:
    draft = Draft(("Hi",), (video(),), {"privacy": "SELF_ONLY"})
    assert [note.code for note in PLATFORM.notes(draft, {"audited": False})] == ["tiktok.unaudited_note"]
    assert not PLATFORM.notes(draft, CONFIG)


@pytest.mark.parametrize(
    ("site_url", "reachable"),
    [
        ("https://socialq.example", True),
        ("http://socialq.example", False),
        ("https://localhost", False),
        ("https://10.0.0.7", False),
        ("https://[::1]:8000", False),
        ("", False),
    ],
)
def test_tiktok_downloads_photos_only_from_a_named_https_site(
    server: FakeTikTok, site_url: str, reachable: bool
) -> None:
    session = TIKTOK.session(server)
    session = replace(session, app=replace(session.app, site_url=site_url))
    assert PLATFORM.check(session).config["site_reachable"] is reachable
