"""What people do to files in the library, and what that does to posts; tags renamed, merged and deleted."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile

from posts.models import Media, Tag
from posts.selectors.library import deletion_effects, library, pickable, uses_of
from posts.services.errors import Conflict, NotAllowed, Refused, ValidationFailed
from posts.services.library import delete_file, describe_file, keep_file, let_file_go, tag_file
from posts.services.media import store_upload
from posts.services.media_retention import fate_of
from posts.services.posts import schedule_post
from posts.services.tags import delete_tag, rename_tag, set_tags, tags_from
from queue_app import clock
from tests.posts.making import REJECTED, account, draft, edit, picture, sent, unsettled, user
from tests.posts.media.pictures import encoded, quarters

pytestmark = pytest.mark.django_db(transaction=True)

MAY = ("change_media", "delete_media", "add_media", "change_tag", "delete_tag")
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def cat() -> Media:
    return store_upload(ContentFile(encoded(quarters(), "JPEG")), owner=None, original_name="cat.jpg")


def described(media: Media, **changes: Any) -> Media:
    fields = {"alt_text": "A cat", "tags": ["Cats", "grey"], "is_in_library": True}
    return describe_file(media, **fields | changes)


def test_alt_text_tags_and_keeping_are_saved(cat: Media) -> None:
    described(cat, alt_text=" A cat\r\nasleep ")
    found = library(user(sees_all=True)).get()
    assert (found.alt_text, found.is_in_library) == ("A cat\nasleep", True)
    assert [tag.name for tag in found.tags.all()] == ["cats", "grey"]
    described(cat, tags=["grey"])
    assert list(Tag.objects.values_list("name", flat=True)) == ["grey"]


@pytest.mark.parametrize("wrong", [{"alt_text": "x" * 5001}, {"alt_text": "\0"}, {"tags": ["x" * 51]}])
def test_what_cannot_be_kept_is_refused_whole(cat: Media, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationFailed):
        described(cat, **wrong)
    cat.refresh_from_db()
    assert (cat.alt_text, cat.is_in_library, cat.tags.count()) == ("", False, 0)


def test_a_post_takes_the_files_alt_text_unless_it_has_its_own(cat: Media) -> None:
    described(cat, alt_text="From the file")
    ada = account()
    plain, own = draft(ada, media=[cat]), draft(ada, text="other")
    edit(own, media=[(cat.pk, "Its own")])
    cat.refresh_from_db()
    texts = [used.alt_text or used.media.alt_text for used in cat.post_media.order_by("post")]
    assert texts == ["From the file", "Its own"]
    assert plain.pk < own.pk


def test_an_alt_text_that_keeps_a_scheduled_post_from_going_out_is_refused(cat: Media) -> None:
    post = draft(account(), media=[cat])
    schedule_post(post, at=clock.now() + HOUR)
    with pytest.raises(ValidationFailed, match=r"limit is .*scheduled with this alt text"):
        described(cat, alt_text="x" * 4000)
    edit(post, media=[(cat.pk, "Its own")])
    assert len(described(cat, alt_text="x" * 4000).alt_text) == 4000


def test_keeping_and_letting_go(cat: Media) -> None:
    assert fate_of(cat).kind == "unused"
    keep_file(cat)
    cat.refresh_from_db()
    assert fate_of(cat).kind == "kept"
    let_file_go(cat)
    cat.refresh_from_db()
    draft(account(), media=[cat])
    assert fate_of(cat).kind == "needed"
    Media.objects.update(file_deleted_at=clock.now())
    cat.refresh_from_db()
    assert fate_of(cat).kind == "gone"
    with pytest.raises(Refused, match="gone already"):
        keep_file(cat)


def test_when_a_file_of_ended_posts_goes_is_said(cat: Media, settings: Any) -> None:
    settings.SOCIALQ = {"MEDIA_KEEP_DAYS": 3}
    sent(account(), media=[cat])
    fate = fate_of(cat)
    assert fate.kind == "over"
    assert fate.at is not None
    assert timedelta(days=2.9) < fate.at - clock.now() <= timedelta(days=3)


def test_tags_are_added_to_those_there_are(cat: Media) -> None:
    described(cat, tags=["grey"])
    tag_file(cat, ["cats", "GREY"])
    assert [tag.name for tag in cat.tags.all()] == ["cats", "grey"]
    with pytest.raises(ValidationFailed, match="the most is 30"):
        tag_file(cat, [f"tag {n}" for n in range(29)])


def test_a_file_that_nothing_uses_is_deleted_with_its_row_and_tags(cat: Media) -> None:
    described(cat)
    path = Path(cat.file.path)
    delete_file(cat)
    assert not path.exists()
    assert (Media.objects.count(), Tag.objects.count()) == (0, 0)
    with pytest.raises(Conflict, match="no longer exists"):
        delete_file(cat)


def test_a_draft_loses_the_file_and_whoever_edits_it_is_told(cat: Media) -> None:
    post = draft(account(), media=[cat])
    delete_file(cat)
    assert not post.post_media.exists()
    assert not Media.objects.exists()
    with pytest.raises(Conflict):
        edit(post, media=[], expected_version=post.version)


def test_posts_that_have_ended_keep_the_files_name(cat: Media) -> None:
    described(cat)
    post = sent(account(), media=[cat])
    failed = sent(account("Bob"), media=[cat], outcome=REJECTED)
    path = Path(cat.file.path)
    delete_file(cat)
    cat.refresh_from_db()
    assert not path.exists()
    assert cat.file_deleted_at is not None
    assert not cat.is_in_library
    assert post.post_media.get().media == failed.post_media.get().media == cat


@pytest.mark.parametrize("how", ["scheduled", "to be reviewed"])
def test_a_file_that_a_delivery_needs_is_not_deleted(cat: Media, how: str) -> None:
    if how == "scheduled":
        schedule_post(draft(account(), media=[cat]), at=clock.now() + HOUR)
    else:
        unsettled(account(), media=[cat])
    other = draft(account("Bob"), media=[cat])
    with pytest.raises(Refused, match="needed by a post"):
        delete_file(cat)
    assert Path(cat.file.path).exists()
    assert other.post_media.exists()
    effects = deletion_effects(cat)
    assert (effects.needing.count(), effects.drafts.get(), effects.ended.count()) == (1, other, 0)


def test_only_those_who_may_and_only_what_they_may_use(cat: Media) -> None:
    grace, other = user("grace", may=MAY), user("other", may=MAY)
    hers = picture("hers.jpg", owner=other)
    for service in (keep_file, let_file_go, delete_file):
        with pytest.raises(NotAllowed, match="may not"):
            service(cat, actor=user(f"nobody-{service.__name__}", may=()))
        with pytest.raises(NotAllowed, match="somebody else"):
            service(hers, actor=grace)
    for service in (keep_file, let_file_go, delete_file):
        service(cat, actor=grace)
    assert Media.objects.get() == hers


def test_others_posts_are_counted_and_not_named(cat: Media) -> None:
    grace = user("grace")
    mine = draft(account(), owner=grace, media=[cat])
    draft(account("Bob"), owner=user("other"), media=[cat])
    uses = uses_of(cat, grace)
    assert (uses.posts, uses.more, uses.others) == ([mine], 0, 1)


def test_an_alt_text_that_does_not_fit_names_no_post_or_account_of_others(cat: Media) -> None:
    grace, other = user("grace", may=MAY), user("other")
    post = draft(account("Hidden", owner=other), text="Nobody knows", owner=other, media=[cat])
    schedule_post(post, at=clock.now() + HOUR)
    with pytest.raises(ValidationFailed) as refused:
        described(cat, alt_text="x" * 4000, actor=grace)
    assert f"{refused.value}".startswith("A post of somebody else is scheduled with this alt text")
    with pytest.raises(ValidationFailed, match=r"Hidden on .*“Nobody knows” is scheduled"):
        described(cat, alt_text="x" * 4000, actor=user("chief", may=MAY, sees_all=True))


def test_picking_finds_by_name_alt_text_and_tag_and_nothing_that_is_gone(cat: Media) -> None:
    described(cat, alt_text="Grey and asleep", tags=["pets"])
    dog = picture("dog.jpg")
    picture("gone cat.jpg", file_deleted_at=clock.now())
    picture("cat of others.jpg", owner=user("other"))
    grace = user("grace")
    assert list(pickable(grace)) == [dog, cat]
    assert (
        list(pickable(grace, "cat"))
        == list(pickable(grace, "ASLEEP pet"))
        == list(pickable(grace, "", "pets"))
        == [cat]
    )
    assert list(pickable(grace, "cat dog")) == []


def test_a_tag_is_renamed_everywhere(cat: Media) -> None:
    set_tags(cat, ["cats"])
    post = draft(account(), tags=["cats"])
    rename_tag(Tag.objects.get(), " Pets ", actor=user(may=MAY))
    assert [tag.name for tag in (*cat.tags.all(), *post.tags.all())] == ["pets", "pets"]


def test_two_tags_become_one_only_if_that_is_wanted(cat: Media) -> None:
    set_tags(cat, ["cats", "pets"])
    only = draft(account(), tags=["cats"])
    cats = Tag.objects.get(name="cats")
    with pytest.raises(Refused, match="a tag “pets” already"):
        rename_tag(cats, "pets", actor=None)
    rename_tag(cats, "pets", actor=None, merge=True)
    assert [tag.name for tag in (*cat.tags.all(), *only.tags.all())] == ["pets", "pets"]
    assert Tag.objects.count() == 1


def test_tags_are_deleted_and_renamed_by_those_who_may(cat: Media) -> None:
    set_tags(cat, ["cats"])
    tag = Tag.objects.get()
    for service in (lambda who: delete_tag(tag, actor=who), lambda who: rename_tag(tag, "x", actor=who)):
        with pytest.raises(NotAllowed):
            service(user(f"n{id(service)}", may=()))
    with pytest.raises(ValidationFailed, match="needs a name"):
        rename_tag(tag, " # ", actor=None)
    delete_tag(tag, actor=None)
    assert not cat.tags.exists()
    with pytest.raises(Conflict):
        rename_tag(tag, "x", actor=None)


def test_a_tag_is_one_that_comes_back_from_a_form_as_it_was() -> None:
    assert tags_from("# Pets, #  # cats") == ["pets", "cats"]
    cats = Tag.objects.create(name="cats")
    for name in ("cats, dogs", "cats\rdogs, mice"):
        with pytest.raises(ValidationFailed, match="comma"):
            rename_tag(cats, name, actor=None)
    assert Tag.objects.get().name == "cats"
