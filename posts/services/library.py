"""What people do to files in the library: describe, tag, keep, let go, delete. Writes Media, and drafts that lose one.

Uploading is in ``uploads`` and ``downloads``, the end of files that nobody keeps in ``media_retention``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.db.models import F
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from posts.models import Media, Post, PostMedia
from posts.selectors.library import deletion_effects, scheduled_with_shared_alt
from posts.selectors.posts import may_see, usable_media
from posts.services import access, queueing, telling
from posts.services.errors import Conflict, NotAllowed, Problem, Refused, ValidationFailed
from posts.services.media_retention import delete_files
from posts.services.tags import add_tags, set_tags, tag_problems
from posts.services.uploads import Prepared, keep_upload
from posts.services.validation import content_problems
from posts.text.storable import is_storable
from queue_app import clock
from queue_app.database import atomic

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# The networks take 1,000 to 2,000; more is a text, not a description.
ALT_CHARACTERS = 5_000
# Posts that wait with the file's own alt text are judged one by one when it changes.
POSTS_JUDGED = 100


def require_description(alt_text: str, tags: Sequence[str], *, actor: User | None) -> None:
    """Raise ValidationFailed unless an upload may have this alt text and these tags, NotAllowed if ``actor`` may not
    upload: before the file is looked into."""
    access.require(actor, "add_media")
    problems = [*_alt_problems(_cleaned(alt_text)), *tag_problems(tags)]
    if problems:
        raise ValidationFailed(problems)


def add_file(prepared: Prepared, *, alt_text: str, tags: Sequence[str], actor: User | None) -> Media:
    """Keep a prepared upload with alt text and tags; return it. Raises as ``require_description``."""
    require_description(alt_text, tags, actor=actor)
    with atomic():
        prepared.media.alt_text = _cleaned(alt_text)
        media = keep_upload(prepared)
        set_tags(media, tags)
    return media


def describe_file(
    media: Media,
    *,
    alt_text: str | None = None,
    tags: Sequence[str] | None = None,
    is_in_library: bool | None = None,
    actor: User | None = None,
) -> Media:
    """Set the alt text of ``media``, all its tags, and whether it is kept; ``None`` leaves it. Return it as stored.

    Posts without an alt text of their own for it get this one, those that wait included: what would keep one of them
    from going out is refused. Raises ValidationFailed, Conflict, NotAllowed.
    """
    given = None if alt_text is None else _cleaned(alt_text)
    problems = [*_alt_problems(given or ""), *tag_problems(tags or ())]
    with atomic():
        stored = _locked(media, "change_media", actor)
        if problems:
            raise ValidationFailed(problems)
        before = stored.alt_text
        stored.alt_text = before if given is None else given
        stored.is_in_library = stored.is_in_library if is_in_library is None else is_in_library
        stored.save(update_fields=["alt_text", "is_in_library"])
        if tags is not None:
            set_tags(stored, tags)
        if stored.alt_text != before:
            _require_fitting_alt(stored, actor)
    return stored


def keep_file(media: Media, *, actor: User | None = None) -> None:
    """Keep the file of ``media`` whatever becomes of its posts. Raises Refused if it is gone, Conflict, NotAllowed."""
    with atomic():
        stored = _locked(media, "change_media", actor)
        if stored.file_deleted_at is not None:
            raise Refused(_("The file of %(name)s is gone already; upload it again") % {"name": stored})
        Media.objects.filter(pk=stored.pk).update(is_in_library=True)


def let_file_go(media: Media, *, actor: User | None = None) -> None:
    """Have the file of ``media`` deleted once no post needs it. Raises Conflict, NotAllowed."""
    with atomic():
        Media.objects.filter(pk=_locked(media, "change_media", actor).pk).update(is_in_library=False)


def tag_file(media: Media, tags: Sequence[str], *, actor: User | None = None) -> None:
    """Add ``tags`` to those of ``media``. Raises ValidationFailed, Conflict, NotAllowed."""
    with atomic():
        add_tags(_locked(media, "change_media", actor), tags)


def delete_file(media: Media, *, actor: User | None = None) -> None:
    """Delete the file of ``media``: drafts lose it, posts that have ended keep its name and alt text.

    Raises Refused while a delivery that is scheduled, held, being published or to be reviewed needs it, Conflict,
    NotAllowed.
    """
    _require(media, "delete_media", actor)
    with queueing.one_transaction():
        # 1. Posts before files, as whoever saves a post locks them.
        drafts = list(deletion_effects(media).drafts.values_list("pk", flat=True))
        posts = queueing.lock_posts(drafts)
        stored = _locked(media, "delete_media", actor)
        # 2. Judged again, now that no post can take the file any more.
        effects = deletion_effects(stored)
        needing = effects.needing.count()
        if needing:
            raise Refused(needed_words(stored, needing))
        if set(effects.drafts.values_list("pk", flat=True)) != set(drafts):
            text = _("Somebody has just changed a draft with %(name)s; look at it again")
            raise Conflict(text % {"name": stored})
        # 3. Whoever has one of the drafts open is told of the change.
        PostMedia.objects.filter(media=stored, post__in=drafts).delete()
        Post.objects.filter(pk__in=drafts).update(version=F("version") + 1)
        for post in posts:
            telling.happened(post, telling.UPDATED, access.name_of(actor))
        delete_files(stored)
        if stored.post_media.exists():
            Media.objects.filter(pk=stored.pk).update(file_deleted_at=clock.now(), is_in_library=False)
        else:
            set_tags(stored, ())
            stored.delete()


def needed_words(media: Media, number: int) -> str:
    """Return why ``media`` cannot be deleted while ``number`` posts need it."""
    text = ngettext(
        "%(name)s is needed by a post that is scheduled, being sent or to be reviewed; cancel or settle that first",
        "%(name)s is needed by %(n)s posts that are scheduled, being sent or to be reviewed; settle those first",
        number,
    )
    return text % {"name": media, "n": f"{number:,}"}


def _require(media: Media, action: str, actor: User | None) -> None:
    access.require(actor, action)
    if actor is not None and not usable_media(actor).filter(pk=media.pk).exists():
        text = _("The file %(name)s belongs to somebody else; ask its owner or an administrator")
        raise NotAllowed(text % {"name": media})


def _locked(media: Media, action: str, actor: User | None) -> Media:
    """Return ``media`` as stored, locked, if ``actor`` may do ``action`` to it."""
    _require(media, action, actor)
    stored = Media.objects.select_for_update().filter(pk=media.pk).first()
    if stored is None:
        raise Conflict(_("The file %(name)s no longer exists; somebody has deleted it") % {"name": media})
    return stored


def _cleaned(alt_text: str) -> str:
    return alt_text.replace("\r\n", "\n").strip()


def _alt_problems(alt_text: str) -> list[Problem]:
    if not is_storable(alt_text):
        return [Problem("alt_text", _("The alt text has characters that cannot be stored; type or paste it again"))]
    if len(alt_text) > ALT_CHARACTERS:
        text = _("The alt text has %(length)s characters, the limit is %(most)s; shorten it")
        return [Problem("alt_text", text % {"length": f"{len(alt_text):,}", "most": f"{ALT_CHARACTERS:,}"})]
    return []


def _require_fitting_alt(media: Media, actor: User | None) -> None:
    """Raise ValidationFailed if a post that waits would be refused for the new alt text."""
    for post in scheduled_with_shared_alt(media)[:POSTS_JUDGED]:
        found = [
            problem for problem in content_problems(post, queueing.deliveries_of(post)) if problem.field == "alt_text"
        ]
        if found:
            text = _("%(problem)s; and “%(post)s” is scheduled with this alt text")
            if actor is not None and not may_see(actor, post.owner_id):
                text = _("A post of somebody else is scheduled with this alt text, and takes none so long; shorten it")
            raise ValidationFailed([Problem("alt_text", text % {"problem": found[0].message, "post": post})])
