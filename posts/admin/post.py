"""Posts: the list with its actions, the composer while a post may be edited, and a page to read from then on."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import CharField, Prefetch, QuerySet, Value
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from posts import conf
from posts.admin import attention, calendar, composer_preview, importing, when, zones
from posts.admin.bodies import with_limits
from posts.admin.chips import delivery_chips, tag_words
from posts.admin.compose import compose, too_late
from posts.admin.filters import AccountFilter, PlatformFilter, TagFilter
from posts.admin.many import ManyRowsMixin
from posts.admin.people import person_of
from posts.admin.post_actions import Cancel, Delete, PublishNow, RescheduleWithSpacing, Retry, Schedule
from posts.models import Delivery, DeliveryStatus, Post, PostStatus
from posts.selectors.media import renderings_of
from posts.selectors.posts import MOVING, SEE_ALL, may_see, post_detail, visible_posts
from posts.services.queueing import deliveries_of, may_be_live
from posts.services.submissions import forms_of, forms_sent_by
from posts.services.validation import SETTLED
from queue_app.admin import display
from queue_app.admin.days import ComingDaysFilter
from queue_app.admin.pages import ReadOnlyAdmin


@admin.register(Post)
class PostAdmin(ManyRowsMixin, ReadOnlyAdmin):
    """Posts. People see their own; ``posts.view_all_posts`` widens that."""

    page_template = "posts/admin/post.html"
    empty_hint = _("No post yet. Press “Add post” above to write the first one.")
    confirmed_actions = [Schedule, PublishNow, RescheduleWithSpacing, Retry, Cancel, Delete]
    list_display = ["excerpt", "status_badge", "goes_out_at", "goes_out_on"]
    list_filter = ["status", AccountFilter, PlatformFilter, TagFilter, ("scheduled_at", ComingDaysFilter)]
    show_facets = admin.ShowFacets.NEVER
    list_select_related = ["owner"]
    search_fields = ["text"]
    search_help_text = _("Search in the texts.")
    ordering = ["-id"]
    list_per_page = 50

    class Media:
        css = {"all": ["posts/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Post]:
        """Return the posts that the person may see, with what the list shows of them."""
        shown = Delivery.objects.select_related("account", "job").order_by("account__platform", "account__name")
        zone = Value(zones.zone_of(request.user), output_field=CharField())
        posts = visible_posts(request.user).prefetch_related(Prefetch("deliveries", shown), "tags")
        return posts.annotate(person_zone=zone).order_by(*self.ordering)

    def get_list_display(self, request: HttpRequest) -> Any:
        """Show whose a post is to those who see everybody's."""
        return [*self.list_display, *(["owner"] if request.user.has_perm(SEE_ALL) else [])]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whoever may add posts."""
        return request.user.has_perm("posts.add_post")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may change posts; one that is scheduled only with the permission to schedule."""
        if not request.user.has_perm("posts.change_post"):
            return False
        if obj is None:
            return True
        if obj.status == PostStatus.SCHEDULED and not request.user.has_perm("posts.schedule_post"):
            return False
        return may_see(request.user, obj.owner_id)

    def get_urls(self) -> list[URLPattern]:
        """Put the limit on uploads before whatever reads the form."""
        add = self.admin_site.admin_view(with_limits(self.add_view, conf.upload_limits, _refused, _too_large))
        change = self.admin_site.admin_view(with_limits(self.change_view, conf.upload_limits, _refused, _too_large))
        own = [
            path("add/", add, name="posts_post_add"),
            path("<path:object_id>/change/", change, name="posts_post_change"),
            *importing.urls(self),
            *attention.urls(self),
            *calendar.urls(self),
            *composer_preview.urls(self),
        ]
        return [*own, *when.urls(self), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list, with the ways into and out of CSV files."""
        return super().changelist_view(request, {"tools": importing.links(request), **(extra_context or {})})

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Compose a new post."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        return compose(self, request, None)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Edit a post that may be edited; else show it."""
        post = self.get_object(request, object_id)
        if post is not None and self.has_change_permission(request, post):
            if may_be_edited(post):
                return compose(self, request, post)
            if request.method == "POST":
                return too_late(self, request, post)
        return super().change_view(request, object_id, form_url, extra_context)

    def page_base(self, request: HttpRequest, post: Post | None) -> dict[str, Any]:
        """Return what the composer and the page to read have in common."""
        context = {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media, "row": post}
        if post is None:
            return {**context, "taken": forms_sent_by(person_of(request))}
        return {**context, **self.page_context(request, post)}

    def page_context(self, request: HttpRequest, row: Post) -> dict[str, Any]:
        """Return where the post stands on each account, its pictures and the buttons."""
        return {
            "detail": post_detail(row.pk, zones.zone_of(request.user)),
            "taken": forms_of(row),
            "zone": zones.zone_of(request.user),
            "is_moving": row.status in MOVING,
            "renderings": renderings_of(row) if row.status in MOVING else None,
            "pictures": row.post_media.select_related("media"),
            "buttons": [kind for kind in self.buttons_for(request, row) if kind is not RescheduleWithSpacing],
            "title": str(row),
        }

    @admin.display(description=_("post"), ordering="text")
    def excerpt(self, post: Post) -> str:
        """Return the beginning of the text and the tags."""
        return format_html("{}{}", str(post), tag_words(post.tags.all()))

    def history_jobs(self, row: Post) -> list[int]:
        """Return the jobs of its deliveries."""
        return [found.job_id for found in row.deliveries.all() if found.job_id is not None]

    def zone_name(self, request: HttpRequest) -> str:
        """Count days in the person's own zone."""
        return zones.zone_of(request.user)

    @admin.display(description=_("status"), ordering="status")
    def status_badge(self, post: Post) -> SafeString:
        """Return the status with its icon, and how far a scheduled post has come."""
        badge = display.badge(post.status, post.get_status_display())
        deliveries = list(post.deliveries.all())
        out = sum(delivery.status == DeliveryStatus.PUBLISHED for delivery in deliveries)
        if not out or out == len(deliveries):
            return badge
        so_far = _("%(out)d of %(all)d published") % {"out": out, "all": len(deliveries)}
        return format_html('{} <span class="sq-second">{}</span>', badge, so_far)

    @admin.display(description=_("accounts"))
    def goes_out_on(self, post: Post) -> SafeString | str:
        """Return the accounts, each with the icon of its own state."""
        return delivery_chips(post.deliveries.all()) or display.NOTHING

    @admin.display(description=_("goes out"), ordering="scheduled_at")
    def goes_out_at(self, post: Any) -> SafeString | str:
        """Return the time in the person's own zone."""
        return display.moment(post.scheduled_at, post.person_zone)


def may_be_edited(post: Post) -> bool:
    """Return whether nothing of ``post`` is out, on its way, or perhaps out."""
    return not any(found.status in SETTLED or may_be_live(found) for found in deliveries_of(post))


def _too_large(limit: int) -> str:
    text = gettext("The files are too large: one form takes %(max_bytes)s MB. Nothing was saved.")
    return text % {"max_bytes": f"{limit / 1_000_000:,.0f}"}


def _refused(request: HttpRequest, text: str, status: int) -> HttpResponse:
    page = {"title": gettext("Not saved"), "text": text, "list_url": reverse("admin:posts_post_changelist")}
    context = {**admin.site.each_context(request), **page}
    return TemplateResponse(request, "posts/admin/refused.html", context, status=status)
