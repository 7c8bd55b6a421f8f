"""Telling an account of the built-in network how to answer, so that people can see what happens then."""

from __future__ import annotations

from django.utils.translation import gettext

from posts.models import Account
from posts.outbox.network import FAILURES, PLATFORM, WAIT_SECONDS
from posts.services.errors import Refused
from posts.services.validation import shown
from queue_app.database import atomic


def set_outbox_failure(
    account: Account, failure: str, times: int | None = None, *, wait_seconds: int = WAIT_SECONDS
) -> Account:
    """Let an outbox account fail in one of ``FAILURES`` the next ``times`` sends (``None``: always); "" ends it.

    ``wait_seconds`` is how long it asks to wait when too many posts arrive. In place. Raises Refused.
    """
    if account.platform != PLATFORM:
        raise Refused(
            gettext("%(shown)s is not an outbox account; only those can be told to fail.") % {"shown": shown(account)}
        )
    if failure not in FAILURES:
        raise Refused(
            gettext("An outbox account cannot fail in the way “%(failure)s”. Choose: %(filter)s.")
            % {"failure": failure, "filter": ", ".join(filter(None, FAILURES))}
        )
    if times is not None and times < 1:
        raise Refused(gettext("It can fail once or more often, or always; leave the number empty for always."))
    with atomic():
        locked = Account.objects.select_for_update().get(pk=account.pk)
        locked.config = {**locked.config, "failure": failure, "failures_left": times, "wait_seconds": wait_seconds}
        locked.save(update_fields=["config", "updated_at"])
    account.refresh_from_db()
    return account
