"""What servers say about themselves, and what becomes of it: limits, choices, refusals before scheduling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from posts.platforms import _mastodon_instance as instances
from posts.platforms.mastodon import PLATFORM
from posts.publishing.errors import Temporary
from posts.publishing.platform import Session
from posts.publishing.types import Draft, Json, MediaFile
from posts.publishing.words import WORDS
from tests.posts.platforms.contract import an_http, picture, video
from tests.posts.platforms.fake_mastodon import INSTANCE_V2, TOKEN, FakeMastodon

PLEROMA = {
    "version": "2.7.2 (compatible; Pleroma 2.9.1)",
    "max_toot_chars": 5000,
    "upload_limit": 16_000_000,
    "description_limit": 5000,
    "poll_limits": {"max_options": 20, "max_option_chars": 200, "min_expiration": 0, "max_expiration": 31_536_000},
    "configuration": {"statuses": {"characters_reserved_per_url": 0}},
}
GOTOSOCIAL = {
    "version": "0.20.1+git-65b5366",
    "source_url": "https://codeberg.org/superseriousbusiness/gotosocial",
    "configuration": {
        "statuses": {"max_characters": 5000, "max_media_attachments": 6, "characters_reserved_per_url": 25},
        "media_attachments": {
            "supported_mime_types": ["image/png", "image/jpeg", "video/mp4"],
            "image_size_limit": 41_943_040,
            "video_size_limit": 41_943_040,
            "description_limit": 5000,
        },
    },
}


@pytest.fixture
def server() -> Iterator[FakeMastodon]:
    with FakeMastodon() as server:
        yield server


def read(server: FakeMastodon) -> Json:
    session = Session(an_http(), {}, {}, lambda: datetime.now(UTC))
    (connection,) = PLATFORM.connections(session, {"access_token": TOKEN}, {"instance": server.url})
    return dict(connection.config)


def with_version(version: str, *, numbered: bool = True) -> Json:
    return instances.config_of({"version": version, "api_versions": {"mastodon": 9} if numbered else None})


# Reading


def test_the_limits_of_mastodon() -> None:
    able = PLATFORM.capabilities_for(instances.config_of(INSTANCE_V2))
    (text,) = able.text
    assert (text.unit, text.maximum, text.link_length) == ("mastodon", 500, 23)
    assert able.comment == able.text
    assert able.threads
    assert not able.caption
    assert (able.max_images, able.max_videos, able.mixes) == (4, 1, False)
    assert (able.images.max_bytes, able.images.max_pixels) == (16_777_216, 33_177_600)
    assert able.images.formats == ("image/jpeg", "image/png")
    assert able.videos is not None
    assert able.videos.formats == ("video/mp4", "video/webm")
    assert (able.videos.max_bytes, able.videos.max_pixels) == (103_809_024, 8_294_400)
    assert able.videos.max_frames_per_second == 120
    assert able.gifs is not None
    assert (able.gifs.formats, able.gifs.max_pixels) == (("image/gif",), 921_600)
    assert [(limit.unit, limit.maximum) for limit in able.alt_text] == [("code_points", 10_000)]


def test_without_anything_known_the_limits_are_mastodon_s_own() -> None:
    assert PLATFORM.capabilities_for({}) == PLATFORM.capabilities
    assert PLATFORM.options_for({}) == PLATFORM.options
    assert PLATFORM.capabilities.alt_text[0].maximum == 1500


def test_a_server_without_the_second_version_is_read_by_the_first(server: FakeMastodon) -> None:
    server.v1_only = True
    server.instance = PLEROMA
    config = read(server)
    assert server.paths()[-2:] == ["/api/v2/instance", "/api/v1/instance"]
    assert config["software"] == "pleroma"
    able = PLATFORM.capabilities_for(config)
    assert [(limit.unit, limit.maximum) for limit in able.text] == [("graphemes", 5000)]
    assert (able.alt_text[0].maximum, able.images.max_bytes) == (5000, 16_000_000)
    assert able.videos is not None
    assert able.videos.max_bytes == 16_000_000


def test_gotosocial_counts_links_in_full_and_code_points() -> None:
    config = instances.config_of(GOTOSOCIAL)
    able = PLATFORM.capabilities_for(config)
    assert config["software"] == "gotosocial"
    assert [(limit.unit, limit.maximum) for limit in able.text] == [("code_points", 5000)]
    assert able.max_images == 6
    assert able.gifs is None
    assert able.videos is not None
    assert able.videos.formats == ("video/mp4",)


def test_a_server_that_says_nothing_of_use_is_taken_for_mastodon(server: FakeMastodon) -> None:
    for path in ("/api/v2/instance", "/api/v1/instance"):
        server.fault(path, status=200, body="[]")
    config = read(server)
    assert (config["version"], config["software"]) == ("", "")
    assert PLATFORM.capabilities_for(config) == PLATFORM.capabilities


def test_a_server_that_is_out_of_order_is_asked_again_later(server: FakeMastodon) -> None:
    server.fault("/api/v2/instance", status=503, body="", headers={"Retry-After": "30"})
    with pytest.raises(Temporary, match="server_error") as caught:
        read(server)
    assert caught.value.retry_after_seconds == 30


@pytest.mark.parametrize("odd", [None, "500", -1, 0, True, 1.5, [], {}, 1 << 60])
def test_odd_limits_are_none(odd: Any) -> None:
    answer = {"version": "4.7.2", "configuration": {"statuses": {"max_characters": odd, "max_media_attachments": odd}}}
    limits = instances.config_of(answer)["limits"]
    assert (limits["characters"], limits["files"]) == (500, 4)


@pytest.mark.parametrize("odd", [None, [], "x", 7])
def test_odd_shapes_are_no_configuration(odd: Any) -> None:
    config = instances.config_of({"version": "4.7.2", "configuration": odd, "api_versions": odd})
    assert PLATFORM.capabilities_for(config) == PLATFORM.capabilities


# Software


@pytest.mark.parametrize(
    ("version", "numbered", "software"),
    [
        ("4.7.2", True, "mastodon"),
        ("4.5.3+glitch.th", True, "mastodon"),
        ("4.2.10", False, ""),
        ("4.2.1 (compatible; Akkoma 3.15.2)", False, "akkoma"),
        ("4.2.1 (compatible; Iceshrimp.NET/2025.1)", True, "iceshrimp.net"),
        ("3.5.3 (compatible; Pixelfed 0.12.6)", False, "pixelfed"),
        ("4.0.0 (not true; really snac/2.80)", False, "snac"),
        ("4.5.0+gotosocial.0.20", False, "gotosocial"),
        ("0.6.20", False, ""),
    ],
)
def test_software_by_version(version: str, numbered: bool, software: str) -> None:
    assert with_version(version, numbered=numbered)["software"] == software


@pytest.mark.parametrize(
    ("version", "numbered", "safe"),
    [
        ("4.7.2", True, True),
        ("4.6.0", True, True),
        ("4.6.0+glitch", True, True),
        ("10.0.0", True, True),
        ("4.6.0-rc.1", True, False),
        ("4.6.1-nightly.2026-05-01", True, True),
        ("4.5.9", True, False),
        ("4.7.2", False, False),
        ("4.7.2 (compatible; Akkoma 3.15.2)", True, False),
        ("0.20.1+git-65b5366", False, False),
        ("four", True, False),
    ],
)
def test_a_repeat_is_safe_where_mastodon_locks_the_key(version: str, numbered: bool, safe: bool) -> None:
    assert PLATFORM.repeats_safely(with_version(version, numbered=numbered)) is safe
    assert not PLATFORM.repeats_safely({})


# Choices


def test_choices_follow_the_server() -> None:
    config = instances.config_of({**PLEROMA, "configuration": {"polls": {"min_expiration": 3600}}})
    options = {option.name: option for option in PLATFORM.options_for(config)}
    assert options["poll"].maximum == 20
    assert [value for value, _ in options["poll_seconds"].choices][:2] == ["3600", "21600"]
    assert options["poll_seconds"].default == "86400"
    assert options["content_warning"].maximum == 5000
    assert options["visibility"].default == ""


# Before scheduling


def remarks(config: Json, *texts: str, media: tuple[MediaFile, ...] = (), **options: Any) -> dict[str, dict[str, Any]]:
    found = PLATFORM.problems(Draft(texts, media, options), config)
    assert all(remark.code in WORDS for remark in found)
    return {remark.code: {"field": remark.field, **remark.params} for remark in found}


def test_a_warning_counts_towards_the_text() -> None:
    config = with_version("4.7.2")
    assert not remarks(config, "x" * 500)
    assert not remarks(config, "x" * 490, content_warning="w" * 10)
    found = remarks(config, "short", "x" * 490, content_warning="w" * 11)
    assert found == {"mastodon.too_long_with_warning": {"field": "text", "length": 501, "maximum": 500}}


@pytest.mark.parametrize(
    ("poll", "media", "codes"),
    [
        (["Yes", "No"], (), set()),
        (["Yes"], (), {"mastodon.poll_too_short"}),
        (["Yes", "Yes"], (), {"mastodon.poll_doubled"}),
        (["Yes", "n" * 51], (), {"mastodon.poll_answer_long"}),
        (["Yes", "No"], (picture(),), {"mastodon.poll_with_media"}),
        ([], (video(),), set()),
    ],
)
def test_polls(poll: list[str], media: tuple[MediaFile, ...], codes: set[str]) -> None:
    found = remarks(with_version("4.5.0"), "Do you?", media=media, poll=poll)
    assert set(found) == codes
    assert {each["field"] for each in found.values()} <= {"poll"}


def test_a_poll_goes_with_pictures_from_4_6_on() -> None:
    assert not remarks(with_version("4.6.0"), "Do you?", media=(picture(),), poll=["Yes", "No"])


@pytest.mark.parametrize(("visibility", "told"), [("direct", ["mastodon.direct"]), ("public", []), (None, [])])
def test_a_direct_post_is_remarked_on(visibility: str | None, told: list[str]) -> None:
    draft = replace(Draft(("Hi @bob",)), options={"visibility": visibility} if visibility else {})
    assert [remark.code for remark in PLATFORM.notes(draft, {})] == told
