"""What operators do to accounts, one or many: test, disable, enable, delete."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.contrib.admin.models import DELETION
from django.http import HttpRequest

from posts.admin.people import person_of
from posts.models import Account
from posts.publishing import registry
from posts.selectors.posts import may_see
from posts.services import accounts as services
from posts.services.account_checks import check_account
from posts.services.errors import ServiceError
from queue_app.admin import history
from queue_app.admin.actions import ConfirmedAction


def may_manage(request: HttpRequest, account: Account) -> bool:
    """Return whether the account is the person's own, or they look after everybody's."""
    return may_see(request.user, account.owner_id)


class AccountAction(ConfirmedAction):
    """An action on accounts."""

    refusals = (ServiceError,)
    permission = "posts.change_account"

    def why_not(self, row: Account, request: HttpRequest) -> str:
        """Skip what belongs to everybody, unless the person looks after everybody's."""
        return "" if may_manage(request, row) else "it is shared by all; ask an administrator"


class Test(AccountAction):
    """Ask the networks who the logins belong to and what they may do; nothing is posted."""

    name, label, done = "test", "Test connection", "tested"

    def why_not(self, row: Account, request: HttpRequest) -> str:
        """Skip what nobody can ask."""
        unknown = "" if row.platform in registry.platforms() else f"this site does not know {row.platform}"
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
                history.record(request, row, self.flag, f"Tested: {note}.")
                messages.info(request, f"{row}: {note}.")
        return count, refused

    def perform(self, row: Account, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Test it; say who it is, what was granted and until when."""
        found = check_account(row)
        ends = f"access ends {found.expires_at:%Y-%m-%d %H:%M} UTC" if found.expires_at else "access does not end"
        renewed = ", renewed by itself" if found.expires_at and found.refreshes else ""
        granted = f"; granted: {', '.join(found.scopes)}" if found.scopes else ""
        return f"it is {found.name}; {ends}{renewed}{granted}"


class Disable(AccountAction):
    """Stop publishing to accounts; what is scheduled waits."""

    name, label, done = "disable", "Disable", "disabled; what is scheduled for it waits"

    def why_not(self, row: Account, request: HttpRequest) -> str:
        """Skip what is disabled."""
        return super().why_not(row, request) or ("" if row.enabled else "it is disabled already")

    def perform(self, row: Account, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Disable it."""
        services.disable_account(row, actor=person_of(request).get_username())
        return ""


class Enable(AccountAction):
    """Publish to accounts again."""

    name, label, done = "enable", "Enable", "enabled"

    def why_not(self, row: Account, request: HttpRequest) -> str:
        """Skip what is enabled."""
        return super().why_not(row, request) or ("it is enabled already" if row.enabled else "")

    def perform(self, row: Account, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Enable it."""
        return f"{services.enable_account(row):,} jobs waited"


class Delete(AccountAction):
    """Delete accounts that no post went out to or will."""

    name, label, done, permission = "delete", "Delete", "deleted", "posts.delete_account"
    flag = DELETION

    def warning_for(self, rows: Sequence[Any]) -> str:
        """Say what goes with them."""
        drafts = sum(len(services.deletion_effects(row).drafts) for row in rows)
        also = f" and they are taken off {drafts} draft{'s'[: drafts != 1]}" if drafts else ""
        return f"Their credentials are deleted{also}. This cannot be undone."

    def why_not(self, row: Account, request: HttpRequest) -> str:
        """Skip what has posts."""
        posts = len(services.deletion_effects(row).posts)
        having = f"{posts} post{'s'[: posts != 1]} went out to it or will; disable it, or delete those first"
        return super().why_not(row, request) or (having if posts else "")

    def perform(self, row: Account, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Delete it."""
        services.delete_account(row)
        return ""
