"""What operators do to accounts, one or many: test, disable, enable, delete."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin.models import DELETION
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from posts.admin.people import person_of
from posts.models import Account
from posts.publishing import registry
from posts.selectors.posts import may_see
from posts.services import accounts as services
from posts.services.account_checks import check_account
from posts.services.account_deletion import DeletionEffects, delete_account, deletion_effects
from posts.services.errors import ServiceError
from queue_app.admin import history
from queue_app.admin.actions import ConfirmedAction, Met


def may_manage(request: HttpRequest, account: Account) -> bool:
    """Return whether the account is the person's own, or they look after everybody's."""
    return may_see(request.user, account.owner_id)


class AccountAction(ConfirmedAction):
    """An action on accounts."""

    refusals = (ServiceError,)
    permission = "posts.change_account"

    def why_not(self, row: Account, request: HttpRequest) -> str:
        """Skip what belongs to everybody, unless the person looks after everybody's."""
        return "" if may_manage(request, row) else gettext("it is shared by all; ask an administrator")


class Test(AccountAction):
    """Ask the networks who the logins belong to and what they may do; nothing is posted."""

    name, label, done = "test", _("Test connection"), _("tested")

    def why_not(self, row: Account, request: HttpRequest) -> str:
        """Skip what nobody can ask."""
        unknown = (
            ""
            if row.platform in registry.platforms()
            else gettext("this site does not know %(platform)s") % {"platform": row.platform}
        )
        return super().why_not(row, request) or unknown

    def perform_all(
        self, rows: Sequence[Any], request: HttpRequest, answers: dict[str, Any]
    ) -> tuple[int, list[tuple[Any, str]]]:
        """Test each, outside of any transaction: the networks are called. What was found is said and kept."""
        count, refused = 0, []
        for row in rows:
            try:
                note = self.perform(row, request, answers)
            except self.refusals as refusal:
                refused.append((row, str(refusal)))
            else:
                count += 1
                history.record(request, row, self.flag, gettext("Tested: %(note)s.") % {"note": note})
                messages.info(request, f"{row}: {note}.")
        return count, refused

    def perform(self, row: Account, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Test it; say who it is, what was granted and until when."""
        found = check_account(row)
        ends = (
            gettext("access ends %(expires_at)s UTC") % {"expires_at": f"{found.expires_at:%Y-%m-%d %H:%M}"}
            if found.expires_at
            else gettext("access does not end")
        )
        renewed = gettext(", renewed by itself") if found.expires_at and found.refreshes else ""
        granted = gettext("; granted: %(scopes)s") % {"scopes": ", ".join(found.scopes)} if found.scopes else ""
        return gettext("it is %(found)s; %(ends)s%(renewed)s%(granted)s") % {
            "found": found.name,
            "ends": ends,
            "renewed": renewed,
            "granted": granted,
        }


class Disable(AccountAction):
    """Stop publishing to accounts; what is scheduled waits."""

    name, label, done = "disable", _("Disable"), _("disabled; what is scheduled for it waits")

    def why_not(self, row: Account, request: HttpRequest) -> str:
        """Skip what is disabled."""
        return super().why_not(row, request) or ("" if row.enabled else gettext("it is disabled already"))

    def perform(self, row: Account, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Disable it."""
        services.disable_account(row, actor=person_of(request).get_username())
        return ""


class Enable(AccountAction):
    """Publish to accounts again."""

    name, label, done = "enable", _("Enable"), _("enabled")

    def why_not(self, row: Account, request: HttpRequest) -> str:
        """Skip what is enabled."""
        return super().why_not(row, request) or (gettext("it is enabled already") if row.enabled else "")

    def perform(self, row: Account, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Enable it."""
        return gettext("%(enable_account)s jobs waited") % {"enable_account": f"{services.enable_account(row):,}"}


class Delete(AccountAction):
    """Delete accounts that no post went out to or will. Its question lists what stands in the way or goes with them."""

    name, permission, flag = "delete", "posts.delete_account", DELETION
    label: ClassVar[Any] = _("Delete")
    done: ClassVar[Any] = _("deleted")

    def __init__(self) -> None:
        self._effects: dict[tuple[int, int], DeletionEffects] = {}

    def effects_of(self, row: Account, request: HttpRequest) -> DeletionEffects:
        """Return what deleting it would meet; asked for once, though it is told in three places."""
        person = person_of(request)
        if (row.pk, person.pk) not in self._effects:
            self._effects[row.pk, person.pk] = deletion_effects(row, person)
        return self._effects[row.pk, person.pk]

    def warning_for(self, rows: Sequence[Any]) -> str:
        """Say what goes with them."""
        met = [effects for row in rows for (pk, _person), effects in self._effects.items() if pk == row.pk]
        gone = ngettext("Its credentials are deleted.", "Their credentials are deleted.", len(rows))
        drafts, slots = sum(each.draft_count for each in met), sum(each.slot_count for each in met)
        told = [gone]
        if drafts:
            said = ngettext("%(n)s draft loses it.", "%(n)s drafts lose it.", drafts)
            told.append(said % {"n": f"{drafts:,}"})
        if slots:
            said = ngettext("%(n)s weekly slot goes with it.", "%(n)s weekly slots go with it.", slots)
            told.append(said % {"n": f"{slots:,}"})
        return " ".join([*told, gettext("This cannot be undone.")])

    def why_not(self, row: Account, request: HttpRequest) -> str:
        """Skip what has posts."""
        refused = super().why_not(row, request)
        posts = 0 if refused else self.effects_of(row, request).post_count
        said = ngettext(
            "%(n)s post went out to it or will; disable it, or delete that first",
            "%(n)s posts went out to it or will; disable it, or delete those first",
            posts,
        )
        return refused or (said % {"n": f"{posts:,}"} if posts else "")

    def is_offered(self, row: Account, request: HttpRequest) -> bool:
        """Offer it where posts forbid it, too: the question then says which."""
        return may_manage(request, row)

    def met_by(self, row: Account, request: HttpRequest) -> Sequence[Met]:
        """Name the posts that forbid it and the drafts that it is taken off, each with its page."""
        if not may_manage(request, row):
            return ()
        effects = self.effects_of(row, request)
        posts = [
            Met(f"“{post}”: {post.get_status_display().lower()}", reverse("admin:posts_post_change", args=[post.pk]))
            for post in effects.posts
        ]
        taken = gettext("taken off this draft")
        drafts = [
            Met(f"“{post}”: {taken}", reverse("admin:posts_post_change", args=[post.pk])) for post in effects.drafts
        ]
        return [
            *posts, *_more(row, effects.post_count - len(posts), named=bool(posts)),
            *drafts, *_more(row, effects.draft_count - len(drafts), named=bool(drafts)),
        ]  # fmt: skip

    def perform(self, row: Account, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Delete it."""
        delete_account(row)
        return ""


def _more(account: Account, number: int, *, named: bool) -> list[Met]:
    """Return the line for those that are not named, because they are many or other people's."""
    if number <= 0:
        return []
    listed = f"{reverse('admin:posts_delivery_changelist')}?account__id__exact={account.pk}"
    said = gettext("%(n)s more") if named else gettext("%(n)s of other people")
    return [Met(said % {"n": f"{number:,}"}, listed)]
