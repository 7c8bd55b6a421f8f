"""The only writers of the tables of posts: verb_noun functions that check, write and enqueue in one transaction.

What is done to whole posts can be imported from here; accounts, media and single deliveries from their modules.
"""

from posts.services.posts import (
    CancelReport,
    cancel_post,
    delete_post,
    publish_now,
    queue_posts,
    reschedule_post,
    reschedule_with_spacing,
    retry_post,
    save_draft,
    schedule_post,
    unschedule_post,
)

__all__ = [
    "CancelReport",
    "cancel_post",
    "delete_post",
    "publish_now",
    "queue_posts",
    "reschedule_post",
    "reschedule_with_spacing",
    "retry_post",
    "save_draft",
    "schedule_post",
    "unschedule_post",
]
