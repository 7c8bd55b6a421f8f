from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from posts.platforms._youtube_api import next_quota
from posts.platforms._youtube_video import tags_length
from posts.platforms.youtube import PLATFORM
from posts.publishing.types import Draft
from tests.posts.platforms.contract import picture, video


def said(draft: Draft) -> set[tuple[str, str]]:
    return {(remark.code, remark.field) for remark in PLATFORM.problems(draft, {})}


KIDS = {"made_for_kids": "no", "privacy": "public"}


@pytest.mark.parametrize(
    ("draft", "problems"),
    [
        (Draft(("Hi",), (video(), picture()), KIDS), set()),
        (Draft(("Hi",), (picture(),), KIDS), {("youtube.video_missing", "media")}),
        (Draft((), (video(),), KIDS), {("youtube.title_missing", "title")}),
        (Draft((), (video(),), {**KIDS, "title": "T"}), set()),
        (Draft(("a < b",), (video(),), {**KIDS, "title": "T"}), {("youtube.angle_brackets", "text")}),
        (Draft(("a",), (video(),), {**KIDS, "title": "T>"}), {("youtube.angle_brackets", "title")}),
        (Draft(("a",), (video(),), {**KIDS, "tags": ["x" * 501]}), {("youtube.tags_too_long", "tags")}),
        (
            Draft(("a",), (video(),), {**KIDS, "privacy": "unlisted", "publish_at": "2030-01-01T00:00Z"}),
            {("youtube.schedule_needs_public", "publish_at")},
        ),
        (Draft(("a", "First"), (video(),), KIDS), set()),
        (Draft(("a", "First"), (video(),), {**KIDS, "privacy": "private"}), {("youtube.comment_impossible", "post")}),
        (Draft(("a", "F"), (video(),), {**KIDS, "made_for_kids": "yes"}), {("youtube.comment_impossible", "post")}),
    ],
)
def test_what_keeps_a_draft_from_going_out(draft: Draft, problems: set[tuple[str, str]]) -> None:
    assert said(draft) == problems


def test_a_project_that_is_not_audited_is_named_where_it_matters() -> None:
    draft = Draft(("a",), (video(),), KIDS)
    assert [note.code for note in PLATFORM.notes(draft, {"audited": False})] == ["youtube.unaudited"]
    assert not PLATFORM.notes(draft, {"audited": True})
    assert not PLATFORM.notes(replace(draft, options={**KIDS, "privacy": "private"}), {})


def test_tags_are_counted_as_youtube_does() -> None:
    assert (tags_length(["Foo-Baz"]), tags_length(["Foo Baz"]), tags_length(["a", "b"]), tags_length([])) == (
        7,
        9,
        3,
        0,
    )


@pytest.mark.parametrize(
    ("moment", "until"),
    [
        (datetime(2026, 7, 1, 6, 59, tzinfo=UTC), datetime(2026, 7, 1, 7, tzinfo=UTC)),  # summer time
        (datetime(2026, 7, 1, 7, 0, tzinfo=UTC), datetime(2026, 7, 2, 7, tzinfo=UTC)),
        (datetime(2026, 12, 1, 12, tzinfo=UTC), datetime(2026, 12, 2, 8, tzinfo=UTC)),
        (datetime(2026, 10, 31, 12, tzinfo=UTC), datetime(2026, 11, 1, 7, tzinfo=UTC)),  # the clocks change that day
        (datetime(2026, 11, 1, 12, tzinfo=UTC), datetime(2026, 11, 2, 8, tzinfo=UTC)),
    ],
)
def test_quotas_begin_anew_at_midnight_in_california(moment: datetime, until: datetime) -> None:
    assert next_quota(moment) == until
