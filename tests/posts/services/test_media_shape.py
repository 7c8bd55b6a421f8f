"""Pictures of a shape that a network refuses: what a person may choose for them, and what then goes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile

from posts.models import Account, Media, Post
from posts.publishing import registry
from posts.services.errors import ValidationFailed
from posts.services.media import media_file, store_upload
from posts.services.options import offered
from posts.services.posts import schedule_post
from posts.services.validation import problems_of
from queue_app import clock
from tests.posts.making import account, delivery, draft
from tests.posts.media.pictures import decoded, encoded, quarters

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


def strip() -> Media:
    """A picture 25 times as wide as high; Telegram takes 20."""
    return store_upload(ContentFile(encoded(quarters(1000, 40), "PNG")), owner=None, original_name="strip.png")


def post_with(fit: str, on: Account) -> Post:
    return draft(on, media=[strip()], options={on.pk: {"fit": fit} if fit else {}})


def test_a_shape_can_be_chosen_where_the_network_limits_it_and_nowhere_else() -> None:
    names = {name: [option.name for option in offered(registry.get(name), {})] for name in ("telegram", "outbox")}
    assert "fit" in names["telegram"]
    assert "fit" not in names["outbox"]


@pytest.mark.parametrize("chosen", ["", "refuse"])
def test_what_is_not_to_be_changed_is_refused(chosen: str) -> None:
    bob = account("Bob", platform="telegram")
    with pytest.raises(ValidationFailed, match="choose that it is cropped or put on white"):
        schedule_post(post_with(chosen, bob), at=clock.now())


@pytest.mark.parametrize(("chosen", "size"), [("crop", (800, 40)), ("pad", (1000, 50))])
def test_what_is_cropped_or_padded_goes_out_so(chosen: str, size: tuple[int, int]) -> None:
    bob = account("Bob", platform="telegram")
    post = post_with(chosen, bob)
    assert problems_of(post) == []
    found = delivery(post, bob)
    file = media_file(post.post_media.select_related("media").get(), found, registry.get("telegram"))
    assert (file.width, file.height) == decoded(file.read()).size == size


def test_another_choice_is_named() -> None:
    post = post_with("stretch", account("Bob", platform="telegram"))
    assert any("choose one of refuse, crop, pad" in problem.message for problem in problems_of(post))
