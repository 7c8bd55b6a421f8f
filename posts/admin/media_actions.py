"""What people do to files in the library, one or many: keep, let go, tag, delete. Each is one service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib.admin.models import DELETION
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from posts.admin.people import person_of
from posts.models import Media, Post
from posts.selectors import library as selectors
from posts.selectors.posts import may_see
from posts.services import library as services
from posts.services.errors import ServiceError
from posts.services.media_retention import fate_of
from posts.services.tags import tag_problems, tags_from
from queue_app.admin.actions import ConfirmedAction, Met


class TagsForm(forms.Form):
    """Tags to add."""

    tags = forms.CharField(
        label=gettext_lazy("Tags to add"), max_length=2000, help_text=gettext_lazy("Separated by commas.")
    )

    def clean_tags(self) -> str:
        """Say what cannot be a tag."""
        text = str(self.cleaned_data["tags"])
        for problem in tag_problems(tags_from(text)):
            self.add_error("tags", problem.message)
        return text


class MediaAction(ConfirmedAction):
    """An action on files."""

    refusals = (ServiceError,)
    permission = "posts.change_media"


class Keep(MediaAction):
    """Keep files whatever becomes of their posts."""

    name, label, done = "keep", gettext_lazy("Keep in the library"), gettext_lazy("kept in the library")
    sure = gettext_lazy("Yes, keep in the library")

    def why_not(self, row: Media, request: HttpRequest) -> str:
        """Skip what is kept or gone."""
        if row.file_deleted_at is not None:
            return _("its file is gone already")
        return _("it is kept already") if row.is_in_library else ""

    def perform(self, row: Media, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Keep it."""
        services.keep_file(row, actor=person_of(request))
        return ""


class LetGo(MediaAction):
    """Have files deleted once no post needs them."""

    name, label, done = "let_go", gettext_lazy("Let go"), gettext_lazy("no longer kept in the library")

    def why_not(self, row: Media, request: HttpRequest) -> str:
        """Skip what is not kept."""
        return "" if row.is_in_library else _("it is not kept in the library")

    def warning_for(self, rows: Sequence[Any]) -> str:
        """Say when they are deleted then."""
        return _("Once no post needs them any more, their files are deleted by themselves.") if rows else ""

    def perform(self, row: Media, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Let it go."""
        services.let_file_go(row, actor=person_of(request))
        return ""


class AddTags(MediaAction):
    """Give files more tags."""

    name, label, done = "tag", gettext_lazy("Add tags"), gettext_lazy("tagged")
    sure = gettext_lazy("Add these tags")
    form_class = TagsForm

    def perform(self, row: Media, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Tag it."""
        names = tags_from(answers["tags"])
        services.tag_file(row, names, actor=person_of(request))
        return ", ".join(names)


class Delete(MediaAction):
    """Delete files that nothing waits for. Its question lists the posts that they are in."""

    name, label, done, permission = "delete", gettext_lazy("Delete"), gettext_lazy("deleted"), "posts.delete_media"
    flag = DELETION

    def warning_for(self, rows: Sequence[Any]) -> str:
        """Say what goes with them."""
        drafts = sum(selectors.deletion_effects(row).drafts.count() for row in rows)
        lost = ngettext("%(n)s draft loses a file. ", "%(n)s drafts lose a file. ", drafts) % {"n": f"{drafts:,}"}
        rest = _("Posts that are out stay as they are on their platforms. This cannot be undone.")
        return (lost if drafts else "") + rest

    def why_not(self, row: Media, request: HttpRequest) -> str:
        """Skip what a post needs, and what is gone but named in posts."""
        if row.file_deleted_at is not None and row.post_media.exists():
            return _("its file is gone already; its name stays with its posts")
        needing = selectors.deletion_effects(row).needing.count()
        return services.needed_words(row, needing) if needing else ""

    def is_offered(self, row: Media, request: HttpRequest) -> bool:
        """Offer it where posts forbid it, too: the question then says which."""
        return fate_of(row).kind != "gone" or not row.post_media.exists()

    def met_by(self, row: Media, request: HttpRequest) -> Sequence[Met]:
        """Name the posts that it is in, each with its page; those of others are only counted."""
        effects = selectors.deletion_effects(row)
        using = effects.needing | effects.drafts | effects.ended
        shown = list(using.order_by("-pk")[: selectors.POSTS_NAMED])
        seen = [post for post in shown if may_see(request.user, post.owner_id)]
        named = [Met(_met_words(post), reverse("admin:posts_post_change", args=[post.pk])) for post in seen]
        more = using.count() - len(seen)
        others = ngettext("and %(n)s more post", "and %(n)s more posts", more) % {"n": f"{more:,}"}
        return [*named, *([Met(others)] if more else [])]

    def perform(self, row: Media, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Delete it."""
        services.delete_file(row, actor=person_of(request))
        return ""


def _met_words(post: Post) -> str:
    return f"“{post}”: {post.get_status_display().lower()}"
