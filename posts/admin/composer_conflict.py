"""Two people, or two tabs, edit one post: what was saved meanwhile, beside what this form has. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.utils.translation import gettext as _

from posts.admin.composer_form import Composer
from posts.models import Post

# Who changed a post just now is among the newest lines of the history; older ones are not searched.
NEWEST_LINES = 5_000
FIELDS = (
    "text",
    "thread_mode",
    "first_comment",
    "tags",
    "goes_out",
    "timezone",
    "drop_after",
    "priority",
    "language",
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same: what this form has, and what was saved meanwhile."""

    label: str
    mine: str
    theirs: str


@dataclass(frozen=True, slots=True)
class ConflictShown:
    """A post that somebody saved after this form was opened. ``button`` is what was pressed; pressed again, it wins."""

    button: str
    by: str
    at: datetime
    differences: tuple[Difference, ...]


def conflict_of(composer: Composer, button: str) -> ConflictShown | None:
    """Return what was saved meanwhile, ``None`` if nothing was; from then on ``composer`` is about the stored post.

    Its form gets the stored version: sent again as it stands, it keeps what its person typed.
    """
    if composer.post is None:
        return None
    stored = Post.objects.filter(pk=composer.post.pk).first()
    if stored is None or str(stored.version) == composer.form.data.get("version"):
        return None
    theirs = Composer(composer.person, stored, composer.zone)
    composer.post = stored
    data = composer.form.data.copy()  # type: ignore[attr-defined]  # what was sent is a QueryDict
    data["version"] = str(stored.version)
    composer.form.data = data
    return ConflictShown(button, _changed_by(stored), stored.updated_at, tuple(_differences(composer, theirs)))


def typed_texts(composer: Composer) -> list[tuple[str, str]]:
    """Return (label, text) of everything long that was typed, so that it can be copied where the form gives way."""
    form = composer.form
    texts = [(str(form.fields[name].label), str(form.data.get(name, ""))) for name in ("text", "first_comment")]
    texts += [(_own(row.account.name), row.own_text) for row in composer.accounts]
    return [(label, text) for label, text in texts if text.strip()]


def _differences(composer: Composer, stored: Composer) -> Iterator[Difference]:
    for name in FIELDS:
        mine, theirs = _shown(composer, name), _shown(stored, name)
        if mine != theirs:
            yield Difference(str(composer.form.fields[name].label), mine, theirs)
    pairs = list(zip(composer.accounts, stored.accounts, strict=False))
    mine, theirs = (", ".join(row.account.name for row in side.chosen) for side in (composer, stored))
    if mine != theirs:
        yield Difference(_("Accounts"), mine, theirs)
    for row, other in pairs:
        if row.account == other.account and row.own_text.strip() != other.own_text.strip():
            yield Difference(_own(row.account.name), row.own_text, other.own_text)
    files = [
        [(picture.media.original_name, picture.alt_text) for picture in side.pictures] for side in (composer, stored)
    ]
    if files[0] != files[1]:
        mine, theirs = ("\n".join(f"{name} – {alt}" if alt else name for name, alt in side) for side in files)
        yield Difference(_("Pictures and other files"), mine, theirs)


def _shown(composer: Composer, name: str) -> str:
    field = composer.form[name]
    value = str(field.value() if field.value() is not None else "").replace("\r\n", "\n")
    choices = dict(getattr(field.field, "choices", ())) if name in ("thread_mode", "priority") else {}
    return str(choices.get(value, choices.get(int(value) if value.isdecimal() else value, value))).rstrip()


def _own(name: str) -> str:
    return _("Own text for %(account)s") % {"account": name}


def _changed_by(post: Post) -> str:
    newest = LogEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    lines = LogEntry.objects.filter(
        pk__gt=newest - NEWEST_LINES, content_type=ContentType.objects.get_for_model(Post), object_id=str(post.pk)
    )
    line = lines.select_related("user").order_by("-pk").first()
    return line.user.get_username() if line is not None else ""
