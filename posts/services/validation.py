"""Whether a post can be published as it stands: the platforms' limits, the accounts, the pictures.

Owns the sentences of these refusals. Reads only; asks no platform. Limits are data in the platforms' capabilities.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from posts import conf
from posts.media.inspect import Picture
from posts.media.plan import ImpossibleError, plan_rendering
from posts.models import Account, Delivery, DeliveryStatus, Post, PostMedia
from posts.publishing import registry
from posts.publishing.capabilities import TextLimit, TextUnit
from posts.publishing.platform import Platform
from posts.services.errors import Problem
from posts.text.counting import violations
from posts.text.wall_time import UnknownZone, resolve_wall_time

UNIT_WORDS: dict[TextUnit, str] = {
    "graphemes": "characters",
    "code_points": "characters",
    "utf16": "characters (an emoji counts as two)",
    "utf8_bytes": "bytes",
}
# A wall time that no zone skips or repeats: asking for it asks only whether the zone exists.
ANY_NOON = datetime(2000, 1, 1, 12)  # noqa: DTZ001 - a wall time
# What has been sent, or may have been, is not to be judged any more.
SETTLED = (DeliveryStatus.PUBLISHING, DeliveryStatus.PUBLISHED, DeliveryStatus.NEEDS_REVIEW)


def problems_of(post: Post, deliveries: Sequence[Delivery] | None = None) -> list[Problem]:
    """Return what keeps ``post`` from being published, on ``deliveries`` or on all that are still to go out.

    Each message names account, field, count and limit. Nothing wrong: an empty list.
    """
    if deliveries is None:
        deliveries = list(post.deliveries.exclude(status__in=SETTLED).select_related("account").order_by("pk"))
    if not deliveries:
        return [Problem("accounts", f"Post {post.pk} has no account to go out on; choose at least one")]
    accounts = [problem for delivery in deliveries for problem in account_problems(delivery.account)]
    return accounts + content_problems(post, deliveries)


def account_problems(account: Account) -> list[Problem]:
    """Return what keeps ``account`` from being posted to."""
    name = shown(account)
    if account.platform not in registry.platforms():
        text = f"{name}: this site does not know the platform {account.platform}; take the account off the post"
    elif account.platform not in conf.get("ENABLED_PLATFORMS"):
        text = f"{name}: the platform {account.platform} is not enabled; add it to SOCIALQ_ENABLED_PLATFORMS"
    elif not account.enabled:
        text = f"{name} is disabled; enable the account or take it off the post"
    elif account.reconnect_reason:
        text = f"{name} must be reconnected first, or taken off the post"
    else:
        return []
    return [Problem("accounts", text, account)]


def content_problems(post: Post, deliveries: Iterable[Delivery]) -> list[Problem]:
    """Return what of the post's text and pictures the accounts of ``deliveries`` cannot take."""
    pictures = list(post.post_media.select_related("media"))
    problems = [
        Problem("media", f"The file of {_picture_name(place, picture)} is no longer stored; attach it again")
        for place, picture in enumerate(pictures, 1)
        if picture.media.file_deleted_at is not None
    ]
    for delivery in deliveries:
        platform = registry.platforms().get(delivery.account.platform)
        if platform is None:
            continue  # said by account_problems
        text = post.text if delivery.text_override is None else delivery.text_override
        if not text.strip() and not pictures:
            message = f"{shown(delivery.account)}: the post is empty; write a text or attach a picture"
            problems.append(Problem("text", message, delivery.account))
        limits = platform.capabilities.text_limits(with_media=bool(pictures))
        problems += _too_long("text", "text", text, limits, delivery.account)
        problems += _picture_problems(pictures, platform, delivery.account)
    return problems


def zone_problems(zone: str) -> list[Problem]:
    """Return what is wrong with ``zone`` as an IANA time zone."""
    try:
        resolve_wall_time(ANY_NOON, zone)
    except UnknownZone as error:
        return [Problem("timezone", str(error))]
    return []


def shown(account: Account) -> str:
    """Return an account's name with its platform's, as in "Ada on Bluesky"."""
    platform = registry.platforms().get(account.platform)
    return f"{account.name} on {platform.label if platform is not None else account.platform}"


def _picture_problems(pictures: Sequence[PostMedia], platform: Platform, account: Account) -> Iterator[Problem]:
    able = platform.capabilities
    if len(pictures) > able.max_images:
        yield Problem(
            "media", f"{shown(account)}: the post has {len(pictures)} pictures, the limit is {able.max_images}", account
        )
    for place, picture in enumerate(pictures, 1):
        name = _picture_name(place, picture)
        media = picture.media
        try:
            plan_rendering(Picture(media.mime_type, media.width, media.height, media.size_bytes), able.images)
        except ImpossibleError as error:
            yield Problem("media", f"{shown(account)}: {name} does not fit: {error}".rstrip("."), account)
        if able.supports_alt_text:
            alt_text = picture.alt_text or media.alt_text
            yield from _too_long("alt_text", f"the alt text of {name}", alt_text, able.alt_text, account)


def _too_long(field: str, name: str, text: str, limits: Iterable[TextLimit], account: Account) -> Iterator[Problem]:
    for broken in violations(text, limits):
        unit = UNIT_WORDS[broken.unit]
        message = f"{shown(account)}: {name} has {broken.length:,} {unit}, the limit is {broken.maximum:,}"
        yield Problem(field, message, account)


def _picture_name(place: int, picture: PostMedia) -> str:
    return f"picture {place} (“{picture.media.original_name}”)"
