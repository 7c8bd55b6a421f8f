"""What operators do to accounts, one or many: test, disable, enable, delete."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.contrib import messages
from django.contrib.admin.models import DELETION
from django.http import HttpRequest
from django.urls import reverse

from posts.admin.people import person_of
from posts.models import Account, Post
from posts.publishing import registry
from posts.selectors.posts import may_see
from posts.services import accounts as services
from posts.services.account_checks import check_account
from posts.services.errors import ServiceError
from queue_app.admin import history
from queue_app.admin.actions import SHOWN, ConfirmedAction, Met


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
    """Delete accounts that no post went out to or will. Its question lists what stands in the way or goes with them."""

    name, label, done, permission = "delete", "Delete", "deleted", "posts.delete_account"
    flag = DELETION

    def warning_for(self, rows: Sequence[Any]) -> str:
        """Say what goes with them."""
        drafts = sum(len(services.deletion_effects(row).drafts) for row in rows)
        one = len(rows) == 1
        taken = f" and {'it is' if one else 'they are'} taken off {drafts} draft{'s'[: drafts != 1]}" if drafts else ""
        return f"{'Its' if one else 'Their'} credentials are deleted{taken}. This cannot be undone."

    def why_not(self, row: Account, request: HttpRequest) -> str:
        """Skip what has posts."""
        refused = super().why_not(row, request)
        posts = 0 if refused else len(services.deletion_effects(row).posts)
        having = f"{posts} post{'s'[: posts != 1]} went out to it or will; disable it, or delete those first"
        return refused or (having if posts else "")

    def is_offered(self, row: Account, request: HttpRequest) -> bool:
        """Offer it where posts forbid it, too: the question then says which."""
        return may_manage(request, row)

    def met_by(self, row: Account, request: HttpRequest) -> Sequence[Met]:
        """Name the posts that forbid it and the drafts that it is taken off, each with its page."""
        if not may_manage(request, row):
            return ()
        effects = services.deletion_effects(row)
        posts = _named(effects.posts, row, request, lambda post: f"“{post}”: {post.get_status_display().lower()}")
        return [*posts, *_named(effects.drafts, row, request, lambda post: f"“{post}”: taken off this draft")]

    def perform(self, row: Account, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Delete it."""
        services.delete_account(row)
        return ""


def _named(
    posts: Sequence[Post], account: Account, request: HttpRequest, words: Callable[[Post], str]
) -> Iterator[Met]:
    """Yield the first of ``posts`` that the person may see, then how many there are beside them."""
    seen = [post for post in posts if may_see(request.user, post.owner_id)][:SHOWN]
    for post in seen:
        yield Met(words(post), reverse("admin:posts_post_change", args=[post.pk]))
    more = len(posts) - len(seen)
    if more:
        listed = f"{reverse('admin:posts_delivery_changelist')}?account__id__exact={account.pk}"
        yield Met(f"{more:,} {'more' if seen else 'of other people'}", listed)
