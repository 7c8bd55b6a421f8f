"""Bots that feed posts: added, changed and deleted here, with the webhook's address and what was heard last.

Telegram is asked by addresses of their own, outside any transaction.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from posts.admin import zones
from posts.admin.people import person_of
from posts.admin.telegram_form import SourceForm
from posts.models import MessageState, SourceAction, TelegramMessage, TelegramSource
from posts.selectors.telegram import posts_of, visible_sources
from posts.services import telegram_webhook
from posts.services.errors import ServiceError
from posts.services.telegram_sources import address_of, save_source
from queue_app.admin import display, history
from queue_app.admin.pages import ListAdmin

SHOWN_MESSAGES = 10
LOOKS = {
    MessageState.WAITING: "scheduled",
    MessageState.TAKEN: "completed",
    MessageState.REFUSED: "cancelled",
    MessageState.FAILED: "failed",
}


@admin.register(TelegramSource)
class TelegramSourceAdmin(ListAdmin):
    """The person's own sources, or everybody's with the permission for all posts."""

    empty_hint = _(
        "No bot feeds posts yet. Make one with @BotFather, press “Add Telegram source” above and enter its token; what "
        "you then write to the bot becomes a draft, or is queued."
    )
    form = SourceForm
    change_form_template = "posts/admin/telegram_source.html"
    actions = None
    list_display = ["name", "bot", "rule", "heard", "state", "owner"]
    list_select_related = ["owner"]
    search_fields = ["name", "bot_name"]
    ordering = ["name", "id"]
    list_per_page = 50

    class Media:
        css = {"all": ["posts/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[TelegramSource]:
        """Return the sources that the person may see."""
        return visible_sources(request.user).select_related("owner").order_by(*self.ordering)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Begin with the person's own zone."""
        return {"timezone": zones.zone_of(request.user), **super().get_changeform_initial_data(request)}

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Return the fields of the form; who may only look is not asked for a token."""
        may_write = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        return [name for name in SourceForm.Meta.fields if may_write or name != "token"]

    def get_urls(self) -> list[URLPattern]:
        """Add what asks Telegram."""
        view = require_POST(self.admin_site.admin_view(self.webhook_view))
        return [path("<int:pk>/webhook/", view, name="posts_telegramsource_webhook"), *super().get_urls()]

    @method_decorator(sensitive_post_parameters())
    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Show the form, and below it how the bot stands."""
        source = self.get_object(request, object_id) if object_id is not None else None
        context = self._standing(request, source) if isinstance(source, TelegramSource) else {}
        return super().changeform_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def save_model(self, request: HttpRequest, obj: TelegramSource, form: Any, change: bool) -> None:
        """Save it by the service; a new one is the person's own."""
        if not change:
            obj.owner = person_of(request)
        save_source(obj, token=form.cleaned_data["token"])
        if not change:
            said = gettext("Now press “Set webhook” below, so that Telegram sends here what is written to the bot.")
            self.message_user(request, said, messages.INFO)

    def response_add(self, request: HttpRequest, obj: TelegramSource, post_url_continue: str | None = None) -> Any:
        """Go to its page, where the next step is."""
        super().response_add(request, obj, post_url_continue)
        return HttpResponseRedirect(reverse("admin:posts_telegramsource_change", args=[obj.pk]))

    def webhook_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Set the webhook, give it another secret, end it, or ask how it stands."""
        source = self.get_object(request, str(pk))
        if source is None:
            raise Http404(gettext("There is no such source."))
        if not self.has_change_permission(request, source):
            raise PermissionDenied
        try:
            said, line = _done(request.POST.get("do", ""), source)
        except ServiceError as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            if line:
                history.record(request, source, CHANGE, line)
            self.message_user(request, said, messages.SUCCESS if line else messages.INFO)
        return HttpResponseRedirect(reverse("admin:posts_telegramsource_change", args=[pk]))

    def _standing(self, request: HttpRequest, source: TelegramSource) -> dict[str, Any]:
        may_change = self.has_change_permission(request, source)
        try:
            address = address_of(source) if may_change else ""
        except ServiceError as error:
            address = ""
            self.message_user(request, str(error), messages.ERROR)
        heard = list(source.messages.order_by("-pk")[:SHOWN_MESSAGES])
        made = posts_of(heard, request.user)
        return {
            "source": source,
            "address": address,
            "may_change": may_change,
            "heard": [(row, _badge(row), posts) for row, posts in zip(heard, made, strict=True)],
            "zone": source.timezone,
        }

    @admin.display(description=_("bot"), ordering="bot_name")
    def bot(self, source: TelegramSource) -> str:
        """Return the bot's user name; its number until Telegram was asked."""
        return f"@{source.bot_name}" if source.bot_name else str(source.bot_id)

    @admin.display(description=_("rule"), ordering="action")
    def rule(self, source: TelegramSource) -> str:
        """Return what becomes of a message."""
        return str(SourceAction(source.action).label)

    @admin.display(description=_("last heard"), ordering="last_heard_at")
    def heard(self, source: TelegramSource) -> SafeString | str:
        """Return when a message came last."""
        return display.moment(source.last_heard_at, source.timezone) if source.last_heard_at else gettext("not yet")

    @admin.display(description=_("state"), ordering="enabled")
    def state(self, source: TelegramSource) -> SafeString:
        """Return whether it takes messages in."""
        if not source.enabled:
            return display.badge("disabled", gettext("Switched off"))
        if not source.senders:
            return display.badge("soon", gettext("Nobody may feed it"))
        return display.badge("failed" if source.last_error else "alive", source.last_error[:100] or gettext("Works"))


def _badge(message: TelegramMessage) -> SafeString:
    state = MessageState(message.state)
    return display.badge(LOOKS[state], state.label)


def _done(do: str, source: TelegramSource) -> tuple[str, str]:
    """Ask Telegram; return what to say, and the line for the history, "" where nothing was changed."""
    named = {"source": source}
    if do == "set":
        telegram_webhook.set_webhook(source)
        return gettext("What is written to @%(bot)s now comes here.") % {"bot": source.bot_name}, gettext(
            "Webhook set."
        )
    if do == "renew":
        telegram_webhook.renew_webhook(source)
        return gettext("%(source)s has another address and secret.") % named, gettext("Address and secret renewed.")
    if do == "delete":
        telegram_webhook.delete_webhook(source)
        said = gettext("Telegram sends nothing to %(source)s any more; it keeps what is written for a day.")
        return said % named, gettext("Webhook deleted.")
    if do == "info":
        return " ".join(telegram_webhook.webhook_standing(source).lines), ""
    raise BadRequest(gettext("Nothing was asked for."))
