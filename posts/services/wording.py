"""What one account says: the post's text or the account's own, with its signature, split into the parts of a thread.

Reads only. Counting, splitting and limits are ``posts.text``'s and the platforms'.
"""

from __future__ import annotations

from posts.models import Delivery, ThreadMode
from posts.publishing.platform import Platform
from posts.text.counting import violations
from posts.text.threads import split_thread, without_marks


def effective_text(delivery: Delivery) -> str:
    """Return what this account says: its own text, else the post's, with the account's signature below."""
    text = delivery.post.text if delivery.text_override is None else delivery.text_override
    signature = delivery.account.signature.strip()
    return f"{text.rstrip()}\n\n{signature}".strip("\n") if signature else text


def texts_of(delivery: Delivery, platform: Platform, *, with_media: bool) -> list[str]:
    """Return the texts of the delivery's parts in order; one where the platform or the post has no threads."""
    text, able = effective_text(delivery), platform.capabilities_for(delivery.account.config)
    if not able.threads or delivery.post.thread_mode == ThreadMode.OFF:
        return [without_marks(text)]
    return split_thread(
        text,
        lambda part: not violations(part, able.text_limits(with_media=with_media)),
        numbered=delivery.post.thread_mode == ThreadMode.NUMBERED,
    )


def comment_of(delivery: Delivery, platform: Platform) -> str:
    """Return the first comment that goes below the post, "" where there is none or the platform has no comments."""
    able = platform.capabilities_for(delivery.account.config)
    return delivery.post.first_comment.strip() if able.comment else ""
