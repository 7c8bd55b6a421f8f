"""Who is told of a notice, and by which channels: people's choices, what they may see, and the site's ADMINS.

ADMINS are told everything, by mail. Others are told what they have chosen, of what is theirs or what they may see; who
has chosen nothing is told the default kinds of what is theirs. Reads only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model

from queue_app.channels import channels
from queue_app.choices import Wishes, default_wishes
from queue_app.mail import MAIL
from queue_app.models import Notice, NoticeChoice
from queue_app.notices import WATCHERS, Kind, kinds
from queue_app.people import admin_addresses

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class Recipients:
    """Everybody who may be told one of ``notices``, read once."""

    def __init__(self, notices: Iterable[Notice]) -> None:
        owners = {notice.owner_id for notice in notices if notice.owner_id is not None}
        self._wishes: dict[Any, Wishes] = {choice.user_id: choice.kinds for choice in NoticeChoice.objects.all()}
        users = get_user_model()._default_manager.filter(pk__in=owners | set(self._wishes))  # noqa: SLF001 -- public
        self._people: list[User] = list(users.order_by("pk"))
        self._admins = {_mailbox(address) for address in admin_addresses()}

    def of(self, notice: Notice) -> Iterator[tuple[str, Any]]:
        """Yield (channel, user's key) for everybody to be told of ``notice``; ``None`` stands for the ADMINS.

        No mailbox is told twice.
        """
        mailed = set(self._admins)
        if mailed:
            yield MAIL, None
        for person in self._people:
            wishes = self._wishes.get(person.pk)
            if wishes is None:
                wishes = default_wishes() if notice.owner_id == person.pk else {}
            for name, channel in channels().items():
                if notice.kind not in wishes.get(name, ()) or not may_be_told(person, notice):
                    continue
                address = channel.known_address(person)
                if not address or (name == MAIL and _mailbox(address) in mailed):
                    continue
                if name == MAIL:
                    mailed.add(_mailbox(address))
                yield name, person.pk


def may_be_told(person: User, notice: Notice) -> bool:
    """Say whether the person may know of what the notice is about."""
    owns = notice.owner_id is not None and notice.owner_id == person.pk
    return person.is_active and (owns or person.has_perm(notice.permission or WATCHERS))


def kinds_for(person: User) -> list[Kind]:
    """Return the kinds that the person could be told, to choose from."""
    watches = person.has_perm(WATCHERS)
    return [kind for kind in kinds().values() if kind.of_owners or watches]


def _mailbox(address: str) -> str:
    return address.strip().lower()
