"""The media library: a grid of files with filters and actions, and a page for each. More of it is in ``media_*``."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.urls import NoReverseMatch, URLPattern, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from posts import conf, models
from posts.admin import media_pick, media_tags, media_upload, zones
from posts.admin.media_actions import AddTags, Delete, Keep, LetGo
from posts.admin.media_filters import AltTextFilter, GoneFilter, TagFilter, UnusedFilter
from posts.admin.people import person_of
from posts.selectors import library
from posts.selectors.media import has_preview
from posts.selectors.posts import MOVING, usable_media
from posts.services.errors import NotAllowed, ServiceError, ValidationFailed
from posts.services.library import ALT_CHARACTERS, describe_file
from posts.services.media_retention import fate_of
from posts.services.tags import tag_problems, tags_from
from queue_app.admin import display, history
from queue_app.admin.actions import ConfirmedActionsMixin
from queue_app.admin.lists import LongListMixin
from queue_app.admin.pages import ReadOnlyAdmin
from queue_app.database import atomic

SAVE = "_save"


def thumbnail_of(media: models.Media, *, whole: bool = False) -> SafeString | str:
    """Return a small picture of ``media``, or what it is, or why it is gone; ``whole``: the picture as it came."""
    if media.file_deleted_at is not None:
        return _("no longer kept")
    if not has_preview(media):
        return format_html('<span class="sq-thumbnail sq-no-preview">{}</span>', media.get_kind_display())
    try:
        url = reverse("posts:thumbnail", args=[media.uuid])
    except NoReverseMatch:  # a site that does not serve pictures
        return display.NOTHING
    alt = media.alt_text or media.original_name
    query = "?whole=1" if whole else ""
    return format_html('<img class="sq-thumbnail" src="{}{}" alt="{}" loading="lazy">', url, query, alt)


def size_of(media: models.Media) -> str:
    """Return pixels and seconds, where they are known, and bytes."""
    pixels = [f"{media.width} × {media.height}"] if media.width else []
    seconds = [_("%(seconds)s s") % {"seconds": f"{media.duration_seconds:,.1f}"}] if media.duration_seconds else []
    return ", ".join([*pixels, *seconds, filesizeformat(media.size_bytes)])


class FileForm(forms.Form):
    """What is kept with a file."""

    alt_text = forms.CharField(
        label=gettext_lazy("Alt text"),
        required=False,
        max_length=ALT_CHARACTERS,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=gettext_lazy(
            "What it shows, for those who cannot see it. Posts without an alt text of their own for it get this one."
        ),
    )
    tags = forms.CharField(
        label=gettext_lazy("Tags"), required=False, max_length=2000, help_text=gettext_lazy("Separated by commas.")
    )
    is_in_library = forms.BooleanField(label=gettext_lazy("Keep in the library"), required=False)

    def clean_tags(self) -> str:
        """Say what cannot be a tag."""
        text = str(self.cleaned_data["tags"])
        for problem in tag_problems(tags_from(text)):
            self.add_error("tags", problem.message)
        return text


@admin.register(models.Media)
class MediaAdmin(LongListMixin, ConfirmedActionsMixin, ReadOnlyAdmin):
    """Files that the person may attach."""

    page_template = "posts/admin/media.html"
    change_list_template = "posts/admin/media_list.html"
    confirmed_actions = [Keep, LetGo, AddTags, Delete]
    list_display = ["original_name"]
    list_filter = ["kind", TagFilter, UnusedFilter, AltTextFilter, "is_in_library", GoneFilter]
    search_fields = ["original_name", "alt_text", "tags__name"]
    search_help_text = gettext_lazy("Search in names, alt texts and tags.")
    ordering = ["-id"]
    list_per_page = 60

    class Media:
        css = {"all": ["posts/admin.css", "posts/library.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[models.Media]:
        """Return the files that the person may attach."""
        return library.library(request.user)

    def get_urls(self) -> list[URLPattern]:
        """Put the library's own pages before those of single files."""
        own = [*media_upload.urls(self), *media_pick.urls(self), *media_tags.urls(self)]
        return own + list(super().get_urls())

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the grid, with what uploads into it."""
        found = models.Media.objects.none() if request.method == "POST" else usable_media(request.user)
        context = {
            "title": _("Media library"),
            "tools": [(reverse("admin:posts_media_tags"), _("Tags"))],
            "may_upload": request.user.has_perm("posts.add_media"),
            "may_choose": bool(self.get_actions(request)),
            "has_files": found.exists(),
            **media_upload.form_context(request),
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show a file; save what the form of its page sends."""
        if request.method != "POST" or SAVE not in request.POST:
            return super().change_view(request, object_id, form_url, extra_context)
        row = self.get_object(request, object_id)
        if row is None or not request.user.has_perm("posts.change_media"):
            raise PermissionDenied
        form = FileForm(request.POST)
        if form.is_valid() and self._save(request, row, form):
            self.message_user(request, _("“%(name)s” is saved.") % {"name": row}, messages.SUCCESS)
            return HttpResponseRedirect(request.path)
        request.method = "GET"  # the page to read, with the form as it was sent
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "form": form})

    def _save(self, request: HttpRequest, row: models.Media, form: FileForm) -> bool:
        """Save a valid form; return whether it was taken, else its errors say why not."""
        given = form.cleaned_data
        try:
            with atomic():
                saved = describe_file(
                    row,
                    alt_text=given["alt_text"],
                    tags=tags_from(given["tags"]),
                    is_in_library=given["is_in_library"] and row.file_deleted_at is None,
                    actor=person_of(request),
                )
                history.record(request, saved, CHANGE, _("Alt text, tags and keeping saved."))
        except NotAllowed as error:
            raise PermissionDenied(str(error)) from error
        except ValidationFailed as error:
            for problem in error.problems:
                form.add_error(problem.field if problem.field in form.fields else None, problem.message)
        except ServiceError as error:
            form.add_error(None, str(error))
        return form.is_valid()

    def page_context(self, request: HttpRequest, row: models.Media) -> dict[str, Any]:
        """Return the file, what is kept with it, where it is used, and what becomes of it."""
        tags = [tag.name for tag in row.tags.all()]
        initial = {"alt_text": row.alt_text, "tags": ", ".join(tags), "is_in_library": row.is_in_library}
        uses = library.uses_of(row, request.user)
        return {
            "thumbnail": thumbnail_of(row, whole=True),
            "size": size_of(row),
            "uses": uses,
            "is_moving": any(post.status in MOVING for post in uses.posts),
            "fate": fate_of(row),
            "keep_days": conf.get("MEDIA_KEEP_DAYS"),
            "failed_days": conf.get("MEDIA_KEEP_FAILED_DAYS"),
            "waiting": library.scheduled_with_shared_alt(row).count(),
            "lacks_alt_text": library.lacks_alt_text(row),
            "tags": tags,
            "zone": zones.zone_of(request.user),
            "may_change": request.user.has_perm("posts.change_media"),
            "form": FileForm(initial=initial),
            "buttons": self.buttons_for(request, row),
        }
