"""Accounts as programs see them: how they stand and what they still take. Never what one logs in with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from ninja import Query, Router
from pydantic import BaseModel, Field

from posts.models import Account
from posts.rest.schemas import AccountOut
from posts.selectors.accounts import Health, blocks_of, health_of, waiting_by_account
from posts.selectors.posts import usable_accounts
from posts.services.capacity import capacity
from queue_app import clock, keys
from queue_app.rest.auth import Access, Request
from queue_app.rest.operations import operation
from queue_app.rest.pages import page_of
from queue_app.rest.problems import not_found
from queue_app.rest.schemas import Cursor, Id, Limit

router = Router(tags=["accounts"])
READS = Access(keys.READ, ("posts.view_account", "posts.add_post"))


class AccountsAsked(BaseModel):
    """Which accounts, and which page of them."""

    platform: str = Field("", max_length=40, examples=["bluesky"])
    enabled: bool | None = Field(None, description="Only those that are, or are not, enabled.")
    cursor: Cursor = ""
    limit: Limit = 50


class HealthOut(BaseModel):
    """Whether posts can go out on an account, in words."""

    state: str = Field(examples=["alive"])
    label: str
    detail: str
    until: datetime | None
    asks_reconnect: bool = Field(description="Only a new login mends it, or will.")


class CapacityOut(BaseModel):
    """One limit, and how much of it is left now."""

    whose: str = Field(description="Who has set it: the platform, or this site.")
    what: str = Field(description="For what it is counted.")
    count: int
    seconds: int = Field(description="The length of the window in which `count` may start.")
    left: int
    frees_at: datetime | None = Field(description="When the next place that is taken is free again.")


class AccountDetailOut(AccountOut):
    """An account, how it stands, and what it still takes."""

    platform_label: str
    enabled: bool
    health: HealthOut
    waiting: int = Field(description="How many posts are still to go out on it.")
    capacity: list[CapacityOut] = Field(description="What is left of every limit.")


class AccountsOut(BaseModel):
    """A page of accounts."""

    items: list[AccountDetailOut]
    next: str | None = Field(description="The `cursor` of the next page; none at the end.")


@operation(router, "GET", "/accounts", READS, {200: AccountsOut})
def list_accounts(request: Request, asked: Annotated[AccountsAsked, Query()]) -> dict[str, Any]:
    """List the accounts that you may post to, with what each still takes."""
    wanted = {"platform": asked.platform or None, "enabled": asked.enabled}
    found = usable_accounts(request.person).filter(
        **{name: value for name, value in wanted.items() if value is not None}
    )
    page = page_of(found, order="id", orders={"id": "pk"}, cursor=asked.cursor, limit=asked.limit)
    return {"items": _told(page.rows), "next": page.next or None}


@operation(router, "GET", "/accounts/{int:account_id}", READS, {200: AccountDetailOut})
def get_account(request: Request, account_id: Id) -> dict[str, Any]:
    """Read an account: how it stands, and what it still takes."""
    found = usable_accounts(request.person).filter(pk=account_id).first()
    if found is None:
        raise not_found()
    return _told([found])[0]


def _told(accounts: list[Account]) -> list[dict[str, Any]]:
    now = clock.now()
    blocks, waiting = blocks_of(accounts, now), waiting_by_account(accounts)
    return [_of_one(account, health_of(account, now, blocks), waiting) for account in accounts]


def _of_one(account: Account, health: Health, waiting: Mapping[int, int]) -> dict[str, Any]:
    same = ("name", "platform", "platform_label", "enabled")
    return {
        "id": account.pk,
        **{name: getattr(account, name) for name in same},
        "health": {name: getattr(health, name) for name in HealthOut.model_fields},
        "waiting": waiting.get(account.pk, 0),
        "capacity": [{name: getattr(each, name) for name in CapacityOut.model_fields} for each in capacity(account)],
    }
