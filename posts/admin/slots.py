"""The weekly plan of an account's posting slots, without scripts; and what is said when two posts share a slot."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import CHANGE
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from posts.admin.account_actions import may_manage
from posts.admin.people import person_of
from posts.admin.wall_time import WallTimeForm
from posts.models import Account, Post, Slot
from posts.selectors.posts import usable_accounts, visible_posts
from posts.selectors.slots import coming_slots, shared_slots, slots_of, zone_of_slots
from posts.services import slots as services
from posts.services.errors import NotAllowed, ServiceError
from queue_app import clock
from queue_app.admin import history
from queue_app.admin.asked import whole_number
from queue_app.database import atomic

if TYPE_CHECKING:
    from posts.admin.account import AccountAdmin

SHOWN_AHEAD = timedelta(days=14)


class ZoneForm(forms.Form):
    """The zone of the slots."""

    timezone = WallTimeForm.base_fields["timezone"]


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the week as the page shows it; ``number`` 0 is Monday."""

    number: int
    name: str
    slots: list[Slot]


def urls(admin: AccountAdmin) -> list[URLPattern]:
    """Return the address of the plan."""
    view = admin.admin_site.admin_view(lambda request, pk: _slots_view(admin, request, pk))
    return [path("<int:pk>/slots/", view, name="posts_account_slots")]


def slot_notes(request: HttpRequest, post: Post) -> list[str]:
    """Return what a person should know of a post that was scheduled just now: whose slot another post has, too."""
    notes = []
    for account, ids in shared_slots(post.pk):
        seen = visible_posts(request.user).filter(pk__in=ids).first()
        which = f"“{seen}”" if seen is not None else _("a post of somebody else")
        text = _(
            "%(account)s: this slot is taken twice, %(other)s goes out then, too. Change one if that is not meant."
        )
        notes.append(text % {"account": account.name, "other": which})
    return notes


def _slots_view(admin: AccountAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Show the plan of an account; change it as the form says."""
    if not admin.has_view_permission(request):
        raise PermissionDenied
    account = usable_accounts(request.user).filter(pk=pk).first()
    if account is None:
        raise Http404(_("There is no such account."))
    may_plan = request.user.has_perm("posts.change_account") and may_manage(request, account)
    if request.method == "POST":
        if not may_plan:
            raise PermissionDenied
        _change(request, account)
        return HttpResponseRedirect(request.path)
    now, zone = clock.now(), zone_of_slots(account)
    names = [str(WEEKDAYS[number]) for number in range(7)]
    context = {
        **admin.admin_site.each_context(request),
        "opts": admin.opts,
        "media": admin.media,
        "title": _("Posting slots of %(account)s") % {"account": account},
        "account": account,
        "zone": zone,
        "zone_form": ZoneForm(initial={"timezone": zone}),
        "may_plan": may_plan,
        "week": [Day(number, names[number], slots) for number, slots in enumerate(slots_of(account))],
        "coming": coming_slots(account, now, now + SHOWN_AHEAD),
        "free_word": _("free"),
        "taken_word": _("taken"),
    }
    return TemplateResponse(request, "posts/admin/account_slots.html", context)


def _change(request: HttpRequest, account: Account) -> None:
    """Do what the form asks, with its line in the history; say what became of it."""
    try:
        with atomic():
            said = _asked(request, account)
            history.record(request, account, CHANGE, said)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from error
    except ServiceError as error:
        messages.error(request, f"{error}.")
    else:
        messages.success(request, said)


def _asked(request: HttpRequest, account: Account) -> str:
    sent, person = request.POST, person_of(request)
    what = sent.get("do", "")
    if what == "zone":
        zone = sent.get("timezone", "")
        services.set_slots_timezone(account, zone, actor=person)
        return _("The slots are on the clocks of %(zone)s.") % {"zone": zone}
    day = _day(sent.get("day"))
    names: dict[str, Any] = {"day": WEEKDAYS[day]}
    if what == "copy":
        to = [_day(value) for value in sent.getlist("to")]
        services.copy_day(account, day, to, actor=person)
        text = ngettext("%(day)s was copied to %(n)d day.", "%(day)s was copied to %(n)d days.", len(to))
        return text % {**names, "n": len(to)}
    at = _time(sent.get("time", ""))
    names["time"] = f"{at:%H:%M}"
    if what == "add":
        services.add_slot(account, day, at, actor=person)
        return _("%(day)s %(time)s is a slot now.") % names
    if what == "remove":
        services.remove_slot(account, day, at, actor=person)
        return _("%(day)s %(time)s is no slot any more; what is scheduled then stays.") % names
    raise BadRequest(_("Nothing that a plan can do."))


def _day(text: str | None) -> int:
    number = whole_number(text)
    if number is None or number > 6:
        raise BadRequest(_("A day of the week is 0 to 6."))
    return number


def _time(text: str) -> time:
    try:
        return datetime.strptime(text[:8], "%H:%M:%S" if text.count(":") == 2 else "%H:%M").time()  # noqa: DTZ007 - a time of day
    except ValueError:
        raise BadRequest(_("A time is written like 09:30.")) from None
