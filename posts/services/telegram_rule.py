"""What a source's rule makes of a message: a draft, or one queued post a platform, and the answer that says so.

In the caller's transaction. The owner's own permissions and accounts bound the rule. What cannot be published as it is
becomes a draft, with the reasons in the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from posts import conf
from posts.models import Account, MessageState, Post, SourceAction, TelegramMessage, TelegramSource
from posts.publishing import registry
from posts.selectors.telegram import origin_of, origins_below
from posts.services import access
from posts.services.drafts import save_draft
from posts.services.errors import NotAllowed, Refused, ValidationFailed
from posts.services.schedule import start
from posts.services.spacing import enabled_accounts, platform_problems
from queue_app import clock
from queue_app import conf as queue_conf
from queue_app.database import atomic


@dataclass(slots=True)
class Made:
    """The posts that were queued and drafted, each with the name that it has in the answer, and why they are drafts."""

    zone: str
    queued: list[tuple[str, Post]] = field(default_factory=list)
    drafts: list[tuple[str, Post, str]] = field(default_factory=list)

    @property
    def answer(self) -> str:
        """What the person who wrote is told; "" where nothing was made."""
        lines = [_("Queued:")] if self.queued else []
        lines += [f"• {name}: {self._time(post.scheduled_at)}{_link(post)}" for name, post in self.queued]
        lines += [_("Kept as a draft:")] if self.drafts else []
        lines += [f"• {name}{': ' if why else ''}{why}{_link(post)}" for name, post, why in self.drafts]
        return "\n".join(lines)

    def _time(self, at: datetime | None) -> str:
        return f"{at.astimezone(ZoneInfo(self.zone)):%Y-%m-%d %H:%M} ({self.zone})" if at else ""


def make_posts(source: TelegramSource, parts: Sequence[TelegramMessage]) -> Made:
    """Write the posts of one message or album; what was posted before makes none.

    Raises NotAllowed where the owner may not write posts, ValidationFailed.
    """
    is_late = _is_late(parts)
    origin = origin_of(parts[0], is_late=is_late)
    made = Made(source.timezone)
    if Post.objects.filter(origin__in=origins_below(origin)).exists():
        return made
    accounts = _accounts_of(source, parts[0].chat_id)
    everyone = [account_id for ids in accounts.values() for account_id in ids]
    if is_late:
        _draft(made, source, parts, origin, everyone, _("it came after the rest of its album"))
    elif source.action == SourceAction.DRAFT:
        _draft(made, source, parts, origin, everyone, "")
    elif not everyone:
        _draft(made, source, parts, origin, [], _("no account is enabled that it could go out on"))
    else:
        _queue(made, source, parts, origin, accounts)
    return made


def help_text(source: TelegramSource) -> str:
    """Return what the bot says about itself."""
    if source.action == SourceAction.DRAFT:
        rule = _("Each message becomes a draft; you publish it in the admin.")
    else:
        rule = _("Each message is queued: the first post %(delay)s minutes later, the next every %(interval)s minutes.")
        rule %= {"delay": f"{source.start_delay_minutes:g}", "interval": f"{source.interval_minutes:g}"}
    said = _("Send text, a picture, a video, a PDF file or an album; files may have 20 MB.")
    return f"{said} {rule}"


def _queue(
    made: Made,
    source: TelegramSource,
    parts: Sequence[TelegramMessage],
    origin: str,
    accounts: dict[str, list[int]],
) -> None:
    """Queue one post a platform, as ``queue_posts`` spaces them; what does not fit somewhere is a draft there."""
    first_at = clock.now() + timedelta(minutes=source.start_delay_minutes)
    for name, account_ids in accounts.items():
        post = _written(source, parts, f"{origin}:{name}", account_ids)
        label = _label(name)
        at = first_at + timedelta(minutes=len(made.queued) * source.interval_minutes)
        try:
            problems = platform_problems(name, account_ids)
            if problems:
                raise ValidationFailed(problems)
            access.require(source.owner, "schedule_post", post)
            with atomic():
                start(post, at, timezone=source.timezone, actor=source.owner)
        except (ValidationFailed, Refused, NotAllowed) as error:
            made.drafts.append((label, post, str(error)))
        else:
            made.queued.append((label, post))


def _draft(
    made: Made,
    source: TelegramSource,
    parts: Sequence[TelegramMessage],
    origin: str,
    account_ids: Sequence[int],
    why: str,
) -> None:
    post = _written(source, parts, origin, account_ids)
    made.drafts.append((_("Post %(number)s") % {"number": post.pk}, post, why))


def _written(source: TelegramSource, parts: Sequence[TelegramMessage], origin: str, account_ids: Sequence[int]) -> Post:
    """Write the post as a draft. Its origin is unique, so that the same message never makes it twice."""
    post = save_draft(
        post=None,
        owner=source.owner,
        text="\n\n".join(part.content["text"] for part in parts if part.content["text"]),
        account_ids=account_ids,
        media=[(part.media_id, "") for part in parts if part.media_id is not None],
        timezone=source.timezone,
        actor=source.owner,
    )
    Post.objects.filter(pk=post.pk).update(origin=origin)
    return post


def _accounts_of(source: TelegramSource, chat_id: int) -> dict[str, list[int]]:
    """Return the enabled accounts by platform, without the chat that the message comes from: it is there already.

    A platform that the rule names is among them even if it has none, to be told of.
    """
    here = Account.objects.filter(platform="telegram", config__chat_id=chat_id).values_list("pk", flat=True)
    found = {}
    for name in source.platforms or conf.get("ENABLED_PLATFORMS"):
        ids = [account_id for account_id in enabled_accounts(name, source.owner) if account_id not in here]
        if ids or source.platforms:
            found[name] = ids
    return found


def _is_late(parts: Sequence[TelegramMessage]) -> bool:
    """Say whether the rest of an album was taken in before these parts came."""
    first = parts[0]
    taken = TelegramMessage.objects.filter(
        source=first.source_id, group_key=first.group_key, state=MessageState.TAKEN
    ).exclude(message_id=first.message_id)
    return taken.exists()


def _label(platform: str) -> str:
    known = registry.platforms().get(platform)
    return known.label if known is not None else platform


def _link(post: Post) -> str:
    """Return the address of the post's page, behind a dash; nothing on a site without the admin."""
    try:
        path = reverse("admin:posts_post_change", args=[post.pk])
    except NoReverseMatch:
        return ""
    return f" – {str(queue_conf.get('SITE_URL')).rstrip('/')}{path}"
