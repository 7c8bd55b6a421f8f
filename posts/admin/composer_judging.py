"""What the composer says of a post before it is saved: what is wrong, what to know, how it will look. Saves nothing."""

from __future__ import annotations

from django.db.models import prefetch_related_objects
from django.urls import reverse

from posts.admin.composer_form import Composer
from posts.admin.composer_rows import DuplicateRow
from posts.models import Delivery, Post, PostMedia
from posts.selectors.posts import may_see
from posts.services.duplicates import Duplicate, duplicates_of
from posts.services.previews import preview_of
from posts.services.validation import content_problems, notes_of
from queue_app import clock

Unsaved = tuple[Post, list[Delivery], list[PostMedia]]


def judge(composer: Composer) -> None:
    """Say beside each chosen account what is wrong with the post there and what should be known."""
    post, deliveries, files = _unsaved(composer)
    composer.tell(content_problems(post, deliveries, files))
    rows = {row.account.pk: row for row in composer.accounts}
    for note in notes_of(post, deliveries, files):
        if note.account is not None:
            rows[note.account.pk].notes.append(note.message)


def find_duplicates(composer: Composer, *, now: bool = False) -> list[Duplicate]:
    """Say beside each chosen account where it gets the same text within a day of the post's time, or of ``now``."""
    post, deliveries, _files = _unsaved(composer)
    at = None if now else post.scheduled_at
    found = duplicates_of(post, deliveries, at or clock.now())
    rows = {row.account.pk: row for row in composer.accounts}
    for duplicate in found:
        seen = may_see(composer.person, duplicate.post.owner_id)
        url = reverse("admin:posts_post_change", args=[duplicate.post.pk]) if seen else ""
        rows[duplicate.account.pk].duplicates.append(DuplicateRow(duplicate.at, duplicate.is_published, url))
    return found


def show(composer: Composer) -> None:
    """Give each chosen account the preview of the post there."""
    post, deliveries, files = _unsaved(composer)
    prefetch_related_objects([file.media for file in files], "variants")
    for row, delivery in zip(composer.chosen, deliveries, strict=True):
        delivery.post = post
        row.preview = preview_of(delivery, files)


def says_something(composer: Composer) -> bool:
    """Return whether there is anything to judge yet: on an empty page nothing is wrong."""
    texts = [composer.form.cleaned_data.get("text", ""), *(row.own_text for row in composer.chosen)]
    return bool(composer.pictures or any(text.strip() for text in texts))


def _unsaved(composer: Composer) -> Unsaved:
    """Return the post as it stands in the form, with a delivery for each chosen account, unsaved."""
    given, stored = composer.form.cleaned_data, composer.post
    post = Post(
        pk=stored.pk if stored is not None else None,
        recurrence_id=stored.recurrence_id if stored is not None else None,
        text=given.get("text", ""),
        language=given.get("language", ""),
        thread_mode=given.get("thread_mode", ""),
        first_comment=given.get("first_comment", ""),
        scheduled_at=composer.instant("goes_out", stored.scheduled_at if stored is not None else None),
    )
    files = [
        PostMedia(post=post, media=row.media, alt_text=row.alt_text, position=place)
        for place, row in enumerate(composer.pictures)
    ]
    deliveries = [
        Delivery(
            post=post,
            account=row.account,
            text_override=row.own_text if row.own_text.strip() else None,
            options=row.options,
        )
        for row in composer.chosen
    ]
    return post, deliveries, files
