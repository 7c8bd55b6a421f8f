"""Writing and editing a post: its fields, pictures and accounts, in one transaction.

A draft may break the platforms' limits; a scheduled post may not, and keeps its time when it is edited.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext

from posts.models import Account, Delivery, DeliveryStatus, Media, Post, PostMedia, ThreadMode
from posts.publishing import registry
from posts.selectors.posts import usable_accounts, usable_media
from posts.services import access, queueing, telling
from posts.services.errors import NotAllowed, Problem, Refused, ValidationFailed
from posts.services.occurrences import mark_changed
from posts.services.options import mistyped, offered, options_from
from posts.services.schedule import FARTHEST, require_version
from posts.services.status import sync_post_status
from posts.services.tags import set_tags, tag_problems
from posts.services.validation import SETTLED, account_problems, content_problems, shown, zone_problems
from posts.text.storable import is_storable, strings_in
from queue_app import clock
from queue_app.models import PRIORITY_FIRST, PRIORITY_LAST

if TYPE_CHECKING:
    from django.contrib.auth.models import User

WAITING = (DeliveryStatus.SCHEDULED, DeliveryStatus.HELD)
MOST_CHARACTERS = 100_000  # more than any network takes; each account counts and splits all of it
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}")
_NO_OWN_TEXTS: Mapping[int, str] = MappingProxyType({})


def save_draft(
    *,
    post: Post | None,
    owner: User | None,
    text: str,
    account_ids: Sequence[int],
    media: Sequence[tuple[int, str]],
    own_texts: Mapping[int, str] = _NO_OWN_TEXTS,
    options: Mapping[int, Mapping[str, Any]] | None = None,
    thread_mode: str = "",
    first_comment: str = "",
    language: str = "",
    timezone: str = "",
    priority: int = 5,
    expires_at: datetime | None = None,
    tags: Sequence[str] | None = None,
    expected_version: int | None = None,
    actor: User | None = None,
) -> Post:
    """Write a new post (``post`` is ``None``) or edit one that has not been sent; return it as stored.

    ``media`` are (id, alt text) in order; ``own_texts`` are texts by account id, a blank one means the post's;
    ``options`` are what was chosen for the platform, by account id, those of accounts left out stay as they are.
    ``tags`` are all that it gets, ``None`` leaves them.
    ``owner`` is set once. A scheduled post keeps its time: it is validated again, added accounts are queued, removed
    ones cancelled; to change it takes the permission to schedule, too. Raises ValidationFailed, Refused, Conflict
    (``expected_version`` is not the stored one), NotAllowed.
    """
    access.require(actor, "change_post" if post else "add_post", post)
    fields = {"text": text, "language": language.strip(), "timezone": timezone.strip()}
    problems = _field_problems(**fields, priority=priority, expires_at=expires_at)
    problems += _text_problems([*own_texts.values(), first_comment, *(alt_text for _, alt_text in media)])
    for chosen in (options or {}).values():
        problems += _text_problems([*chosen, *strings_in(dict(chosen))])
    if thread_mode not in ThreadMode.values:
        problems.append(
            Problem(
                "thread_mode",
                gettext("A long text is split by %(values)s or not") % {"values": ", ".join(ThreadMode.values[1:])},
            )
        )
    problems += tag_problems(tags or ())
    fields |= {"thread_mode": thread_mode, "first_comment": first_comment}
    with queueing.one_transaction():
        stored = _editable(post, expected_version, actor) if post is not None else Post(owner=owner)
        accounts = _chosen_accounts(account_ids, stored, actor or owner, problems)
        pictures = _chosen_media([media_id for media_id, _ in media], stored, actor or owner, problems)
        if problems:
            raise ValidationFailed(problems)
        is_timed_anew = (stored.priority, stored.expires_at) != (priority, expires_at)
        for name, value in fields.items():
            setattr(stored, name, value)
        stored.priority, stored.expires_at = priority, expires_at
        stored.version += 1
        stored.save()
        mark_changed(stored, actor)
        _set_pictures(stored, [(picture, alt_text) for picture, (_, alt_text) in zip(pictures, media, strict=True)])
        is_waiting = Delivery.objects.filter(post=stored, status__in=WAITING).exists()
        added = _set_accounts(stored, accounts, own_texts, access.name_of(actor))
        _set_options(stored, options or {})
        if tags is not None:
            set_tags(stored, tags)
        if is_waiting:
            _keep_schedule(stored, added, access.name_of(actor), is_timed_anew=is_timed_anew)
        sync_post_status(stored.pk, actor=access.name_of(actor))
        telling.happened(stored, telling.UPDATED if post is not None else telling.CREATED, access.name_of(actor))
    stored.refresh_from_db()
    return stored


def _field_problems(
    *, text: str, language: str, timezone: str, priority: int, expires_at: datetime | None
) -> list[Problem]:
    if expires_at is not None and expires_at.tzinfo is None:
        raise ValueError(gettext("expires_at needs a time zone"))
    problems = _text_problems([text])
    if language and not _LANGUAGE.fullmatch(language):
        problems.append(
            Problem(
                "language",
                gettext("“%(language)s” is not a language; write a code like en or pt-BR, or nothing")
                % {"language": language[:35]},
            )
        )
    if not PRIORITY_FIRST <= priority <= PRIORITY_LAST:
        problems.append(
            Problem(
                "priority",
                gettext("Priority is %(priority_first)s (first) to %(priority_last)s (last), not %(priority)s")
                % {"priority_first": PRIORITY_FIRST, "priority_last": PRIORITY_LAST, "priority": priority},
            )
        )
    if expires_at is not None and abs(expires_at - clock.now()) > FARTHEST:
        # At the ends of the calendar a time cannot even be shown in every zone.
        problems.append(
            Problem("expires_at", gettext("The time to drop it is more than ten years away; choose a nearer one"))
        )
    return problems + (zone_problems(timezone) if timezone else [])


def _text_problems(texts: Sequence[str]) -> list[Problem]:
    if not all(map(is_storable, texts)):
        return [Problem("text", gettext("The text has characters that cannot be stored; type or paste it again"))]
    longest = max(map(len, texts), default=0)
    if longest <= MOST_CHARACTERS:
        return []
    message = gettext("A text has %(longest)s characters, the most that is kept is %(most_characters)s; shorten it") % {
        "longest": f"{longest:,}",
        "most_characters": f"{MOST_CHARACTERS:,}",
    }
    return [Problem("text", message)]


def _editable(post: Post, expected_version: int | None, actor: User | None) -> Post:
    """Lock the post and return it as stored, if the person may still edit it and it is what they saw."""
    (stored,) = queueing.lock_posts([post.pk])
    deliveries = queueing.deliveries_of(stored)
    for delivery in deliveries:
        if delivery.status in SETTLED or delivery.live or queueing.may_be_live(delivery):
            status = gettext("partly live") if delivery.live else delivery.get_status_display().lower()
            raise Refused(
                gettext(
                    "Post %(stored)s cannot be changed any more: on %(shown)s it is %(status)s. Write a new "
                    "post instead"
                )
                % {"stored": stored.pk, "shown": shown(delivery.account), "status": status}
            )
    require_version(stored, expected_version)
    if any(delivery.status in WAITING for delivery in deliveries):
        _require_schedule(stored, actor)
    return stored


def _require_schedule(post: Post, actor: User | None) -> None:
    """Raise NotAllowed unless ``actor`` may change what waits: it goes out by itself, and nobody looks at it again."""
    try:
        access.require(actor, "schedule_post")
    except NotAllowed as error:
        raise NotAllowed(
            gettext("Post %(post)s is scheduled, and %(error)s") % {"post": post.pk, "error": error}
        ) from None


def _chosen_accounts(ids: Sequence[int], post: Post, person: User | None, problems: list[Problem]) -> list[Account]:
    """Return the accounts in order, each once; those that the post has already stay allowed."""
    found = usable_accounts(person).in_bulk(ids)
    if post.pk is not None:
        found |= Account.objects.filter(deliveries__post=post).in_bulk(ids)
    for place, account_id in enumerate(ids):
        if account_id not in found:
            message = gettext(
                "There is no account %(account_id)s that this post can use; choose one from the list of accounts"
            ) % {"account_id": account_id}
            problems.append(Problem("accounts", message, place=place))
    return [found[account_id] for account_id in dict.fromkeys(ids) if account_id in found]


def _chosen_media(ids: Sequence[int], post: Post, person: User | None, problems: list[Problem]) -> list[Media]:
    """Return the pictures in order, locked, so that retention does not take their files away meanwhile."""
    found = usable_media(person).in_bulk(ids)
    if post.pk is not None:
        found |= Media.objects.filter(post_media__post=post).in_bulk(ids)
    found = {media.pk: media for media in Media.objects.select_for_update().filter(pk__in=found).order_by("pk")}
    for place, media_id in enumerate(ids):
        if media_id not in found:
            problems.append(
                Problem(
                    "media",
                    gettext("There is no file %(media_id)s that this post can use; attach it again")
                    % {"media_id": media_id},
                    place=place,
                )
            )
        elif media_id in ids[:place]:
            name = found[media_id].original_name
            problems.append(
                Problem(
                    "media",
                    gettext("The file “%(name)s” is attached twice; remove one of the two") % {"name": name},
                    place=place,
                )
            )
    return [found[media_id] for media_id in ids if media_id in found]


def _set_pictures(post: Post, pictures: Sequence[tuple[Media, str]]) -> None:
    post.post_media.exclude(media__in=[media for media, _ in pictures]).delete()
    for position, (media, alt_text) in enumerate(pictures):
        PostMedia.objects.update_or_create(
            post=post, media=media, defaults={"position": position, "alt_text": alt_text.strip()}
        )


def _set_accounts(post: Post, accounts: Sequence[Account], own_texts: Mapping[int, str], actor: str) -> list[Delivery]:
    """Make the post's deliveries those of ``accounts``; return the new ones. Jobs of others are cancelled."""
    kept: dict[int, Delivery] = {}
    for delivery in queueing.deliveries_of(post):
        if delivery.account in accounts:
            kept[delivery.account_id] = delivery
            continue
        if delivery.status in WAITING:
            queueing.cancel_job_of(delivery, actor=actor)
        delivery.delete()
    added = []
    for account in accounts:
        own_text = own_texts.get(account.pk, "")
        override = own_text if own_text.strip() else None
        if account.pk in kept:
            Delivery.objects.filter(pk=kept[account.pk].pk).update(text_override=override)
        else:
            keyed_at = clock.now()
            added.append(Delivery.objects.create(post=post, account=account, text_override=override, keyed_at=keyed_at))
    return added


def _set_options(post: Post, options: Mapping[int, Mapping[str, Any]]) -> None:
    problems: list[Problem] = []
    for delivery in post.deliveries.filter(account__in=options).select_related("account"):
        platform = registry.platforms().get(delivery.account.platform)
        known = offered(platform, delivery.account.config) if platform is not None else ()
        chosen = options_from(options[delivery.account_id], known)
        name = shown(delivery.account)
        problems += [Problem(field, f"{name}: {text}", delivery.account) for field, text in mistyped(chosen, known)]
        Delivery.objects.filter(pk=delivery.pk).update(options=chosen)
    if problems:
        raise ValidationFailed(problems)


def _keep_schedule(post: Post, added: Sequence[Delivery], actor: str, *, is_timed_anew: bool) -> None:
    """Validate a scheduled post anew, queue its new deliveries, and pass on a new priority or expiry to the others."""
    deliveries = queueing.deliveries_of(post)
    problems = content_problems(post, deliveries)
    for delivery in added:
        problems += account_problems(delivery.account)
    if not deliveries:
        problems.append(
            Problem(
                "accounts", gettext("Post %(post)s is scheduled: choose an account, or cancel it") % {"post": post.pk}
            )
        )
    now = clock.now()
    at = max(post.scheduled_at or now, now)
    # One that will be tried again after a failure is due at a time of its own.
    waiting = [delivery for delivery in deliveries if delivery.status == DeliveryStatus.SCHEDULED]
    due = {delivery.pk: delivery.job.run_at for delivery in waiting if delivery.job is not None}
    at_last = max([at, *due.values()])
    if post.expires_at is not None and post.expires_at <= at_last:
        message = gettext("Post %(post)s would be dropped before it is due (%(at_last)s UTC); choose a later end") % {
            "post": post.pk,
            "at_last": f"{at_last:%Y-%m-%d %H:%M}",
        }
        problems.append(Problem("expires_at", message))
    if problems:
        raise ValidationFailed(problems)
    queueing.render_ahead(post, at=at, now=now, actor=actor)
    new = {delivery.pk for delivery in added}
    for delivery in deliveries:
        if delivery.pk in new:
            queueing.queue_delivery(delivery, post, at=at, now=now, actor=actor)
        elif is_timed_anew and delivery.pk in due:
            expires_at = queueing.expiry_of(post, max(at, due[delivery.pk]))
            queueing.move_delivery(delivery, post, at=due[delivery.pk], expires_at=expires_at, actor=actor)
