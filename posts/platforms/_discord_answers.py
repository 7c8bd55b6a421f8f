"""What Discord's refusals mean, and what its headers say of limits.

https://docs.discord.com/developers/topics/opcodes-and-status-codes and …/topics/rate-limits
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

from posts.publishing.errors import ContentRejected, PublishError, RateLimited, ReconnectNeeded, Temporary
from posts.publishing.http import Response
from posts.publishing.platform import Session
from posts.publishing.types import Json

RATE_LIMIT_SECONDS = 60.0  # assumed where a 429 names no time
KEPT_OUT_SECONDS = 600.0  # Cloudflare's, of this site's address: 10,000 refusals in ten minutes
LONGEST_WAIT_SECONDS = 86_400.0

Refusal = Callable[..., PublishError]

CODES: Mapping[int, Refusal] = {
    10003: partial(ReconnectNeeded, "discord.channel_gone"),
    10015: partial(ReconnectNeeded, "discord.webhook_gone"),
    50027: partial(ReconnectNeeded, "discord.wrong_token"),
    50001: partial(ReconnectNeeded, "discord.no_access"),
    50013: partial(ReconnectNeeded, "discord.no_access"),
    50008: partial(ReconnectNeeded, "discord.wrong_channel"),
    220004: partial(ReconnectNeeded, "discord.wrong_channel"),
    50083: partial(ContentRejected, "discord.thread_closed", field="thread_id"),
    160005: partial(ContentRejected, "discord.thread_closed", field="thread_id"),
    220001: partial(ContentRejected, "discord.thread_needed", field="thread_name"),
    220002: partial(ContentRejected, "discord.thread_twice", field="thread_name"),
    220003: partial(ContentRejected, "discord.no_forum", field="thread_name"),
    40067: partial(ContentRejected, "discord.tags_needed", field="applied_tags"),
    50006: partial(ContentRejected, "post_empty", field="text"),
    40005: partial(ContentRejected, "discord.file_too_large", field="media"),
    50045: partial(ContentRejected, "discord.file_too_large", field="media"),
    50046: partial(ContentRejected, "discord.file_refused", field="media"),
    50110: partial(ContentRejected, "discord.file_refused", field="media"),
    200000: partial(ContentRejected, "discord.automod", field="text"),
    200001: partial(ContentRejected, "discord.title_blocked", field="thread_name"),
    240000: partial(ContentRejected, "discord.harmful_link", field="text"),
    50109: partial(ContentRejected, "discord.message_refused"),
    130000: partial(Temporary, "discord.busy"),
    40333: partial(Temporary, "discord.kept_out", retry_after_seconds=KEPT_OUT_SECONDS),
}
# For answers of Discord's own that have no code but 0, such as "404: Not Found".
STATUSES: Mapping[int, Refusal] = {401: CODES[50027], 403: CODES[50013], 404: CODES[10015], 413: CODES[40005]}
SLOW_CODES = (20016, 20028, 20029, 40062)  # limits of the channel, the server and the service, with any status
INVALID_FORM = 50035
UNKNOWN_CHANNEL = 10003
# The option or field of ours that a part of the form comes from; of an embed the second name counts.
FORM_FIELDS: Mapping[str, str] = {
    "content": "text",
    "attachments": "alt_text",
    "files": "media",
    "username": "username",
    "avatar_url": "avatar_url",
    "thread_name": "thread_name",
    "applied_tags": "applied_tags",
    "title": "embed_title",
    "description": "embed_description",
    "url": "embed_url",
    "color": "embed_color",
}


def refusal(session: Session, response: Response, *, thread_id: str = "") -> PublishError:
    """Sort an answer that is no success: limits first, then faults of the server, then by its code."""
    answer, status = response.json_or_empty(), response.status
    given = answer.get("code")
    number = given if isinstance(given, int) else 0
    path, form_error = _first_form_error(answer.get("errors"))
    said = [str(number) if number else "", str(answer.get("message", "")), form_error]
    detail = session.http.redact(": ".join(filter(None, said)))
    if status == 429 or number in SLOW_CODES:
        return _limited(response, answer, session.now(), detail)
    if status >= 500 or status == 408:
        wait = response.retry_after_seconds(session.now())
        return response.unusable("server_error", detail=detail, retry_after_seconds=wait)
    if number == INVALID_FORM:
        kind = "discord.username_refused" if path[:1] == ["username"] else "discord.message_refused"
        return ContentRejected(kind, field=_form_field(path), detail=detail, status_code=status)
    if number == UNKNOWN_CHANNEL and thread_id:
        return ContentRejected("discord.thread_closed", field="thread_id", detail=detail, status_code=status)
    meaning = CODES.get(number)
    if meaning is None and ((given == 0 and answer.get("message")) or status == 413):  # 413 also comes from proxies
        meaning = STATUSES.get(status)
    if meaning is None:
        return response.unusable("bad_answer" if status in (200, 204) else "unexpected_answer", detail=detail)
    return meaning(detail=detail, status_code=status)


def used_up_until(response: Response, now: datetime) -> datetime | None:
    """Return until when a success's headers say that nothing more goes through, ``None`` if something does."""
    if response.headers.get("x-ratelimit-remaining", "").strip() != "0":
        return None
    wait = _seconds(response.headers.get("x-ratelimit-reset-after"))
    return None if wait is None else now + timedelta(seconds=wait)


def _limited(response: Response, answer: Json, now: datetime, detail: str) -> RateLimited:
    """Wait for the larger of what the body and the header say; a page instead of an answer is from the gateway."""
    waits = (_seconds(answer.get("retry_after")), response.retry_after_seconds(now))
    known = [wait for wait in waits if wait is not None]
    is_global = answer.get("global") is True or response.headers.get("x-ratelimit-scope") == "global"
    assumed = RATE_LIMIT_SECONDS if answer else KEPT_OUT_SECONDS
    return RateLimited(
        "rate_limited",
        until=now + timedelta(seconds=max(1.0, *known) if known else assumed),
        scope="app" if is_global or not answer else "account",
        detail=detail,
        status_code=response.status,
    )


def _seconds(value: object) -> float | None:
    try:
        seconds = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        return None
    return min(seconds, LONGEST_WAIT_SECONDS) if seconds >= 0 else None


def _first_form_error(errors: object) -> tuple[list[str], str]:
    """Return where in the form the first error is, and what it says. Lists are objects with numbers as names."""
    path: list[str] = []
    for _depth in range(10):
        if not isinstance(errors, dict) or not errors:
            break
        found = errors.get("_errors")
        if isinstance(found, list):
            first = found[0] if found and isinstance(found[0], dict) else {}
            return path, ": ".join([".".join(path), str(first.get("code", "")), str(first.get("message", ""))])
        name, errors = next(iter(errors.items()))
        path.append(str(name))
    return path, ""


def _form_field(path: list[str]) -> str:
    names = path[1:] if path[:1] == ["embeds"] else path[:1]
    return next((FORM_FIELDS[name] for name in names if name in FORM_FIELDS), "post")
