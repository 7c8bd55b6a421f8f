"""What people are told of posts and accounts, beside what the queue tells; and the chat as a way to tell them."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from posts.services.chat import Chat
from posts.services.given_up import GAVE_UP_NOTICE
from posts.services.recurrence import REFUSED_NOTICE
from posts.services.sending import OFF_NOTICE
from posts.services.standing import LOGIN_ENDS_NOTICE, OPERATOR_NOTICE, RECONNECT_NOTICE
from queue_app.channels import register_channel
from queue_app.notices import Kind, register_kinds

register_kinds(
    Kind(
        RECONNECT_NOTICE,
        _("An account must be reconnected"),
        _("must be reconnected"),
        _("needs no reconnecting any more"),
        of_owners=True,
        by_default=True,
    ),
    Kind(
        LOGIN_ENDS_NOTICE,
        _("An account's login ends soon"),
        _("its login ends soon"),
        _("its login goes on"),
        of_owners=True,
        by_default=True,
    ),
    Kind(
        REFUSED_NOTICE,
        _("A repeating post could not be scheduled"),
        _("could not be scheduled"),
        of_owners=True,
        by_default=True,
    ),
    Kind(
        OFF_NOTICE,
        _("A webhook was switched off"),
        _("was switched off"),
        of_owners=True,
        by_default=True,
    ),
    Kind(
        GAVE_UP_NOTICE,
        _("A webhook did not take events"),
        _("events were given up"),
        _("no events are given up any more"),
        of_owners=True,
        by_default=True,
    ),
    Kind(OPERATOR_NOTICE, _("A platform stands still"), _("stands still"), _("takes posts again")),
)
register_channel(Chat())
