"""What one account says: the post's text or the account's own, with its signature, split into the parts of a thread.

Reads only. Counting, splitting and limits are ``posts.text``'s and the platforms'.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from posts.models import Account, Delivery, ThreadMode
from posts.publishing.capabilities import TextLimit
from posts.publishing.platform import Platform
from posts.text.counting import violations
from posts.text.threads import split_thread, without_marks
from posts.text.variables import fill, with_utm


def effective_text(delivery: Delivery) -> str:
    """Return what this account says: its own text, else the post's, as ``worded`` for it."""
    return worded(delivery.post.text if delivery.text_override is None else delivery.text_override, delivery.account)


def worded(text: str, account: Account) -> str:
    """Return ``text`` with the account's variables filled in, its UTM parameters on links and its signature below."""
    text = _filled(text, account)
    signature = fill(account.signature.strip(), variables_of(account))
    return f"{text.rstrip()}\n\n{signature}".strip("\n") if signature else text


def variables_of(account: Account) -> dict[str, str]:
    """Return the values of the variables in the account's texts: its own, and its name."""
    return {"account": account.name, **account.variables}


def texts_of(delivery: Delivery, platform: Platform, *, with_media: bool) -> list[str]:
    """Return the texts of the delivery's parts in order; one where the platform or the post has no threads."""
    text, able = effective_text(delivery), platform.capabilities_with(delivery.options, delivery.account.config)
    if not able.threads or delivery.post.thread_mode == ThreadMode.OFF:
        return [without_marks(text)]
    reserved = platform.reserved(delivery.options, delivery.account.config)
    limits = tuple(
        replace(limit, maximum=max(1, limit.maximum - reserved)) for limit in able.text_limits(with_media=with_media)
    )
    return list(_parts(text, limits, delivery.post.thread_mode == ThreadMode.NUMBERED))


@lru_cache(maxsize=32)  # one page asks several times, for each of many accounts with the same limits
def _parts(text: str, limits: tuple[TextLimit, ...], numbered: bool) -> tuple[str, ...]:
    return tuple(split_thread(text, lambda part: not violations(part, limits), numbered=numbered))


def comment_of(delivery: Delivery, platform: Platform) -> str:
    """Return the first comment that goes below the post, "" where there is none or the platform has no comments."""
    able = platform.capabilities_with(delivery.options, delivery.account.config)
    return _filled(delivery.post.first_comment.strip(), delivery.account) if able.comment else ""


def _filled(text: str, account: Account) -> str:
    return with_utm(fill(text, variables_of(account)), account.utm)
