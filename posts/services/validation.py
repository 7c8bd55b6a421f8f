"""Whether a post can be published as it stands: the platforms' limits, the accounts, the files, the options.

Owns the sentences of these refusals. Reads only; asks no platform. Limits are data in the platforms' capabilities.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from posts import conf
from posts.media.plan import fit_of
from posts.models import Account, Delivery, DeliveryStatus, Post, PostMedia
from posts.publishing import registry, words
from posts.publishing.capabilities import Capabilities, TextLimit, TextUnit
from posts.publishing.platform import Platform
from posts.publishing.types import Draft
from posts.services.addresses import has_public_address
from posts.services.errors import Problem
from posts.services.media_fit import facts_of, file_name, media_notes, media_problems
from posts.services.options import offered, option_problems, with_defaults
from posts.services.wording import comment_of, effective_text, texts_of, variables_of
from posts.text.counting import violations
from posts.text.entities import Hashtag, Link, Mention, entities
from posts.text.variables import unknown_variables
from posts.text.wall_time import UnknownZone, resolve_wall_time
from queue_app.wording import Words

UNIT_WORDS: dict[TextUnit, Words] = {
    "graphemes": _("characters"),
    "code_points": _("characters"),
    "utf16": _("characters (an emoji counts as two)"),
    "utf8_bytes": _("bytes"),
    "x_weighted": _("characters as X counts them"),
    "mastodon": _("characters as Mastodon counts them"),
    "threads": _("characters as Threads counts them"),
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
        return [Problem("accounts", gettext("The post has no account to go out on; choose at least one"))]
    accounts = [problem for delivery in deliveries for problem in account_problems(delivery.account)]
    return accounts + content_problems(post, deliveries)


def account_problems(account: Account) -> list[Problem]:
    """Return what keeps ``account`` from being posted to."""
    name = shown(account)
    if account.platform not in registry.platforms():
        text = gettext("%(name)s: this site does not know the platform %(platform)s; take the account off the post") % {
            "name": name,
            "platform": account.platform,
        }
    elif account.platform not in conf.get("ENABLED_PLATFORMS"):
        text = gettext("%(name)s: the platform %(platform)s is not enabled; add it to SOCIALQ_ENABLED_PLATFORMS") % {
            "name": name,
            "platform": account.platform,
        }
    elif not account.enabled:
        text = gettext("%(name)s is disabled; enable the account or take it off the post") % {"name": name}
    elif account.reconnect_reason:
        text = gettext("%(name)s must be reconnected first, or taken off the post") % {"name": name}
    else:
        return []
    return [Problem("accounts", text, account)]


def content_problems(
    post: Post, deliveries: Iterable[Delivery], files: Sequence[PostMedia] | None = None
) -> list[Problem]:
    """Return what of the post's text, files and options the accounts of ``deliveries`` cannot take.

    ``files`` are those of a post that is not saved; else they are the stored ones. A thread of which something is live
    cannot be changed any more, and goes on as it began: nothing of it is judged.
    """
    deliveries = list(deliveries)
    if deliveries and all(delivery.live for delivery in deliveries):
        return []
    files = list(post.post_media.select_related("media")) if files is None else files
    problems = [
        Problem(
            "media",
            gettext("The file of %(file_name)s is no longer stored; attach it again")
            % {"file_name": file_name(place, file)},
        )
        for place, file in enumerate(files, 1)
        if file.media.file_deleted_at is not None
    ]
    for delivery in deliveries:
        platform = registry.platforms().get(delivery.account.platform)
        if platform is not None and not delivery.live:  # an unknown one is said by account_problems
            delivery.post = post
            name = shown(delivery.account)
            problems += [
                Problem(field, f"{name}: {text}", delivery.account)
                for field, text in _delivery_problems(delivery, platform, files)
            ]
    return problems


def notes_of(post: Post, deliveries: Iterable[Delivery], files: Sequence[PostMedia] | None = None) -> list[Problem]:
    """Return what a person should know before ``post`` is scheduled, and what does not keep it from going out.

    ``files`` are those of a post that is not saved; else they are the stored ones.
    """
    files = list(post.post_media.select_related("media")) if files is None else files
    notes = []
    for delivery in deliveries:
        account, platform = delivery.account, registry.platforms().get(delivery.account.platform)
        if platform is None:
            continue
        delivery.post = post
        remarks = platform.notes(draft_of(delivery, platform, files), account.config)
        said = [words.sentence(remark.code, remark.params, platform.label) for remark in remarks]
        notes += [Problem("post", f"{shown(account)}: {text}", account) for text in said]
        notes += [Problem("media", f"{shown(account)}: {text}", account) for text in media_notes(files)]
        ends_at = account.renewable_until if platform.refreshes else account.credentials_expire_at
        if ends_at is not None and post.scheduled_at is not None and ends_at <= post.scheduled_at:
            when = gettext("%(ends_at)s UTC") % {"ends_at": f"{ends_at:%Y-%m-%d %H:%M}"}
            text = gettext(
                "%(shown)s: its login ends at %(when)s, before the post is due; reconnect the account in time"
            ) % {"shown": shown(account), "when": when}
            notes.append(Problem("accounts", text, account))
    return notes


def draft_of(delivery: Delivery, platform: Platform, files: Sequence[PostMedia]) -> Draft:
    """Return a delivery as a platform judges it: texts, facts of the files, options with their defaults."""
    texts = [*texts_of(delivery, platform, with_media=bool(files)), comment_of(delivery, platform)]
    chosen = with_defaults(delivery.options, offered(platform, delivery.account.config))
    facts = tuple(facts_of(file) for file in files)
    return Draft(tuple(text for text in texts if text), facts, chosen, delivery.post.language)


def _delivery_problems(delivery: Delivery, platform: Platform, files: Sequence[PostMedia]) -> Iterator[tuple[str, str]]:
    """Yield (field, what is wrong in words) of one delivery."""
    able = platform.capabilities_with(delivery.options, delivery.account.config)
    texts = texts_of(delivery, platform, with_media=bool(files))
    if not any(text.strip() for text in texts) and not files:
        yield "text", gettext("the post is empty; write a text or attach a picture")
    comment = comment_of(delivery, platform)
    for field, name, text in (
        ("text", gettext("the text"), effective_text(delivery)),
        ("first_comment", gettext("the first comment"), comment),
    ):
        for unknown in unknown_variables(text, variables_of(delivery.account))[:1]:
            yield (
                field,
                gettext("%(name)s has {%(unknown)s}, which is no variable of the account; set it or write a value")
                % {"name": name, "unknown": unknown},
            )
    for part, text in enumerate(texts, 1):
        name = "text" if len(texts) == 1 else gettext("part %(part)s of the text") % {"part": part}
        yield from _too_long("text", name, text, able.text_limits(with_media=bool(files)))
        yield from _too_many("text", name, text, able)
    yield from _too_long("first_comment", gettext("the first comment"), comment, able.comment)
    yield from media_problems(files, able, fit_of(delivery.options))
    if files and able.fetches_media and not has_public_address():
        code = "media_address_missing"
        yield "media", f"{words.sentence(code, {}, platform.label)} {words.next_step(code)}".rstrip(".")
    yield from option_problems(delivery.options, offered(platform, delivery.account.config))
    for remark in platform.problems(draft_of(delivery, platform, files), delivery.account.config):
        yield remark.field, words.sentence(remark.code, remark.params, platform.label).rstrip(".")


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
    label = platform.label if platform is not None else account.platform
    return gettext("%(account)s on %(platform)s") % {"account": account.name, "platform": label}


def _too_long(field: str, name: str, text: str, limits: Iterable[TextLimit]) -> Iterator[tuple[str, str]]:
    for broken in violations(text, limits):
        unit = UNIT_WORDS[broken.unit]
        yield (
            field,
            gettext("%(name)s has %(length)s %(unit)s, the limit is %(maximum)s")
            % {"name": name, "length": f"{broken.length:,}", "unit": unit, "maximum": f"{broken.maximum:,}"},
        )


def _too_many(field: str, name: str, text: str, able: Capabilities) -> Iterator[tuple[str, str]]:
    found = entities(text)
    kinds = ((Link, "links", able.max_links), (Hashtag, "hashtags", able.max_hashtags))
    for kind, word, most in (*kinds, (Mention, "mentions", able.max_mentions)):
        number = sum(isinstance(entity, kind) for entity in found)
        if most is not None and number > most:
            yield (
                field,
                gettext("%(name)s has %(number)s %(word)s, the limit is %(most)s")
                % {"name": name, "number": number, "word": word, "most": most},
            )
