"""The forms of the API: what a post looks like that comes in, and what is told of posts and deliveries.

Owns the names that are taken beside ours: camelCase of each, and those of systems that this one replaces.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AliasChoices,
    AliasGenerator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from posts.models import Delivery, Post
from posts.selectors.posts import DeliveryDetail
from queue_app.models import PRIORITY_FIRST, PRIORITY_LAST
from queue_app.priorities import PRIORITY_NAMES, number_of
from queue_app.rest.schemas import Id, whole, with_examples

ALSO = {
    "accounts": ("account_ids", "profile_ids"),
    "text": ("content",),
    "alt": ("alt_text",),
    "account": ("account_id", "profile_id"),
}
MOST_ACCOUNTS, MOST_FILES, MOST_PLATFORMS = 200, 50, 50
DRAFT, SCHEDULED, PUBLISHED = "DRAFT", "SCHEDULED", "PUBLISHED"


def names_of(field: str) -> tuple[str, ...]:
    """Return the names under which a field is taken, ours first."""
    names = (field, *ALSO.get(field, ()))
    return tuple(dict.fromkeys([*names, *map(to_camel, names)]))


class In(BaseModel):
    """A body, or a part of one: of unknown fields nothing is taken, and a number is not a text of one."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        alias_generator=AliasGenerator(validation_alias=lambda field: AliasChoices(*names_of(field))),
    )


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


_PRIORITY_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": PRIORITY_FIRST, "maximum": PRIORITY_LAST},
        {"type": "string", "enum": list(PRIORITY_NAMES)},
    ],
    "description": "1 (first) to 10 (last), or a name.",
}
Status = Annotated[Literal["DRAFT", "SCHEDULED", "PUBLISHED"], BeforeValidator(_upper)]
Priority = Annotated[int, BeforeValidator(lambda value: number_of(whole(value))), WithJsonSchema(_PRIORITY_SCHEMA)]
Moment = Annotated[
    str,
    Field(
        max_length=40,
        description="ISO 8601: with its offset, or without one as the clocks of `timezone` show it.",
        examples=["2030-01-31T09:30", "2030-01-31T09:30:00+01:00"],
    ),
]
Zone = Annotated[
    str, Field(max_length=64, description="An IANA time zone; else the site's.", examples=["Europe/Berlin"])
]
ThreadModes = Literal["", "split", "numbered"]


class MediaIn(In):
    """An uploaded file in a post."""

    id: Id
    alt: str = Field("", description="Alt text; empty: the file's own.")


class OverrideIn(In):
    """What is different on one account."""

    account: Id
    text: str = Field("", description="A text of its own; empty: the post's.")
    options: dict[str, Any] | None = Field(None, description="What the platform lets one choose, by name.")


Accounts = Annotated[list[Id], Field(max_length=MOST_ACCOUNTS, description="Ids of accounts.", examples=[[1, 2]])]
Files = Annotated[list[MediaIn], Field(max_length=MOST_FILES)]
Overrides = Annotated[list[OverrideIn], Field(max_length=MOST_ACCOUNTS)]
Tags = Annotated[list[str], Field(max_length=100, examples=[["launch"]])]


class PostIn(In):
    """A post to be made. Without a `status` it is SCHEDULED where it has a time, else a DRAFT."""

    model_config = with_examples(
        {"text": "Hello from the API", "accounts": [1]},
        {"text": "Hello", "accounts": [1], "scheduled_at": "2030-01-31T09:30", "timezone": "Europe/Berlin"},
    )

    status: Status | None = None
    text: str = Field("", examples=["Hello from the API"])
    accounts: Accounts = []
    overrides: Overrides = []
    media: Files = []
    thread_mode: ThreadModes = Field("", description="What becomes of a long text: one post, or a thread.")
    first_comment: str = ""
    language: str = Field("", max_length=35, examples=["en"])
    tags: Tags = []
    scheduled_at: Moment | None = None
    timezone: Zone = ""
    expires_at: Moment | None = Field(None, description="Dropped if it is not out by then.")
    priority: Priority = 5


class PostChange(In):
    """What is to change of a post; what is left out, or `null`, stays. `overrides` are all that it has from then on."""

    model_config = with_examples({"text": "Better words"}, {"status": "DRAFT"})

    status: Status | None = Field(None, description="DRAFT takes it back, SCHEDULED needs a time, PUBLISHED is now.")
    text: str | None = None
    accounts: Accounts | None = None
    overrides: Overrides | None = None
    media: Files | None = None
    thread_mode: ThreadModes | None = None
    first_comment: str | None = None
    language: str | None = Field(None, max_length=35)
    tags: Tags | None = None
    scheduled_at: Moment | None = None
    timezone: Zone | None = None
    expires_at: Moment | None = Field(None, description="`null`: the site's default.")
    priority: Priority | None = None

    @property
    def named(self) -> set[str]:
        """The fields that are to change: `null` says nothing of any but ``expires_at``."""
        return {name for name in self.model_fields_set if name == "expires_at" or getattr(self, name) is not None}


class AccountOut(BaseModel):
    """An account, by its id."""

    id: int
    name: str
    platform: str


class DeliveryRow(BaseModel):
    """Where a post stands on one account."""

    id: int
    post: int
    job: int | None = Field(description="The job that publishes it; none for a draft, and once it was purged.")
    account: AccountOut
    state: str
    label: str
    url: str
    published_at: datetime | None


class DeliveryOut(DeliveryRow):
    """Where a post stands on one account, why, and what to do next."""

    explanation: str
    next_step: str
    attempts: int | None


class MediaOut(BaseModel):
    """A file in a post."""

    id: int
    alt: str


class OverrideOut(BaseModel):
    """What is different on one account."""

    account: int
    text: str
    options: dict[str, Any]


class PostRow(BaseModel):
    """A post in a list."""

    id: int
    state: str
    status: str = Field(description="The same in capitals.")
    label: str
    text: str
    owner: str
    scheduled_at: datetime | None
    wall_time: str = Field(description="`scheduled_at` on the clocks of `timezone`.")
    timezone: str
    expires_at: datetime | None
    priority: int
    thread_mode: str
    first_comment: str
    language: str
    tags: list[str]
    media: list[MediaOut]
    version: int
    created_at: datetime
    updated_at: datetime
    deliveries: list[DeliveryRow]


class PostOut(PostRow):
    """A post, with where it stands on each account and why."""

    overrides: list[OverrideOut]
    deliveries: list[DeliveryOut]  # type: ignore[assignment]  # more of each


def told_delivery(found: DeliveryDetail) -> dict[str, Any]:
    """Return a delivery as JSON."""
    return {
        "id": found.id,
        "post": found.post,
        "job": found.job,
        "account": {"id": found.account, "name": found.account_name, "platform": found.platform},
        "state": found.status,
        "label": found.status_label,
        "explanation": found.explanation,
        "next_step": found.next_step,
        "url": found.url,
        "attempts": found.attempts,
        "published_at": found.published_at,
    }


def told_post(post: Post) -> dict[str, Any]:
    """Return a post as JSON, without its deliveries. Ask for ``owner``, ``tags`` and ``post_media`` with it."""
    same = ("text", "scheduled_at", "wall_time", "timezone", "expires_at", "priority", "thread_mode", "first_comment")
    return {
        "id": post.pk,
        "state": post.status,
        "status": post.status.upper(),
        "label": post.get_status_display(),
        "owner": post.owner.get_username() if post.owner is not None else "",
        **{name: getattr(post, name) for name in (*same, "language", "version", "created_at", "updated_at")},
        "tags": [tag.name for tag in post.tags.all()],
        "media": [{"id": each.media_id, "alt": each.alt_text} for each in post.post_media.all()],
    }


def told_row(post: Post) -> dict[str, Any]:
    """Return a post in a list. Ask for its deliveries with their accounts, too: nothing of them is explained."""
    return {**told_post(post), "deliveries": [told_delivery_row(each) for each in post.deliveries.all()]}


def told_delivery_row(delivery: Delivery) -> dict[str, Any]:
    """Return a delivery in a list: nothing of it is explained. Ask for its account with it."""
    account = delivery.account
    return {
        "id": delivery.pk,
        "post": delivery.post_id,
        "job": delivery.job_id,
        "account": {"id": account.pk, "name": account.name, "platform": account.platform},
        "state": delivery.status,
        "label": delivery.get_status_display(),
        "url": delivery.url,
        "published_at": delivery.published_at,
    }
