from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from posts.models import Account, Delivery, Media, Post, PostMedia
from posts.services.previews import MOST_CHARACTERS, MOST_PARTS, Preview, preview_of
from tests.posts.making import account, picture

pytestmark = pytest.mark.django_db


def preview(of: Account, text: str, files: Sequence[Media] = (), **fields: Any) -> Preview:
    options = fields.pop("options", {})
    post = Post(text=text, **fields)
    media = [PostMedia(post=post, media=file) for file in files]
    found = preview_of(Delivery(post=post, account=of, options=options), media)
    assert found is not None
    return found


def test_shows_the_text_with_its_links_and_how_long_it_is() -> None:
    found = preview(account("Ada", "x"), "See https://example.com/a/long/way\nnow")
    (part,) = found.parts
    assert part.pieces == (("plain", "See "), ("link", "https://example.com/a/long/way"), ("plain", "\nnow"))
    assert part.tightest is not None
    assert (part.tightest.length, part.tightest.maximum, part.tightest.is_over) == (31, 280, False)
    assert not found.is_thread


def test_of_several_limits_the_tightest_is_shown() -> None:
    (part,) = preview(account("Ada", "bluesky"), "👩‍👩‍👧" * 200).parts
    assert part.tightest is not None
    assert (part.tightest.unit, part.tightest.length, part.tightest.is_over) == ("utf8_bytes", 3600, True)


def test_splits_a_thread_as_it_goes_out_and_shows_no_more_than_a_page_takes() -> None:
    ada = account("Ada", "bluesky")
    found = preview(ada, "One.\n---\nTwo.", thread_mode="numbered", first_comment="Link")
    assert ["".join(piece.text for piece in part.pieces) for part in found.parts] == ["One. (1/2)", "Two. (2/2)"]
    assert found.comment is not None
    long = preview(ada, "word " * 3000, thread_mode="split")
    assert len(long.parts) == MOST_PARTS
    assert long.part_count == MOST_PARTS + long.more_parts > MOST_PARTS


def test_variables_signature_and_options_count() -> None:
    ada = account("Ada", "mastodon", signature="– {shop}", variables={"shop": "Corner"})
    (part,) = preview(ada, "From {shop}", options={"content_warning": "x"}).parts
    assert "".join(piece.text for piece in part.pieces) == "From Corner\n\n– Corner"


def test_a_picture_shows_the_fit_that_was_chosen() -> None:
    ada = account("Ada", "instagram")
    wide = picture(width=3000, height=500)
    (refused,) = preview(ada, "x", [wide]).pictures
    assert (refused.width, refused.fit) == (0, "refuse")
    (cropped,) = preview(ada, "x", [wide], options={"fit": "crop"}).pictures
    assert cropped.fit == "crop"
    assert cropped.width / cropped.height == pytest.approx(1.91, abs=0.01)
    (padded,) = preview(ada, "x", [wide], options={"fit": "pad"}).pictures
    assert padded.fit == "pad"
    assert len(preview(ada, "x", [picture() for _ in range(6)]).pictures) == 4


def test_a_longest_text_is_cut_and_an_unknown_platform_has_no_preview() -> None:
    (part,) = preview(account(), "x" * 9000).parts
    assert part.hidden == 9000 - MOST_CHARACTERS
    assert preview_of(Delivery(post=Post(text="x"), account=account("Old", "gone")), []) is None
