"""How accounts and tags look in lists: small, with the name that people know. Renders; reads nothing."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from posts.models import Account, Delivery, Tag
from queue_app.admin import display


def account_chip(account: Account, delivery: Delivery | None = None) -> SafeString:
    """Return an account with its platform, and with the mark of how ``delivery`` to it stands."""
    stands = display.mark(delivery.status, delivery.get_status_display()) if delivery is not None else ""
    return format_html(
        '<span class="sq-chip">{}<span class="sq-chip-name" title="{}">{}</span><span class="sq-zone">{}</span></span>',
        stands,
        account.name,
        account.name,
        account.platform_label,
    )


def delivery_chips(deliveries: Iterable[Delivery]) -> SafeString | str:
    """Return the accounts of deliveries, each with its own state."""
    found = [(account_chip(delivery.account, delivery),) for delivery in deliveries]
    return format_html('<div class="sq-chips">{}</div>', format_html_join(" ", "{}", found)) if found else ""


def tag_words(tags: Iterable[Tag]) -> SafeString | str:
    """Return tags as a quiet second line."""
    words = " ".join(f"#{tag.name}" for tag in tags)
    return format_html('<span class="sq-second">{}</span>', words) if words else ""
