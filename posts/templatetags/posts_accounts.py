"""Template tags about accounts: what cannot go out before one is reconnected, and the way there."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.context import Context

from posts.models import Account
from posts.selectors.accounts import health_of
from posts.selectors.posts import may_see, waits_for_login
from queue_app import clock

register = template.Library()

register.filter(waits_for_login)


@register.inclusion_tag("posts/admin/reconnect_mark.html", takes_context=True)
def reconnect_mark(context: Context, account_id: int) -> dict[str, Any]:
    """Mark what cannot go out before an account is reconnected, with the way to do so for whoever may."""
    user = context["request"].user
    account = Account.objects.get(pk=account_id)
    may_reconnect = user.has_perm("posts.change_account") and may_see(user, account.owner_id)
    return {"account": account, "health": health_of(account, clock.now(), {}), "may_reconnect": may_reconnect}
