"""Pictures are rendered ahead of time, once for all accounts that take the same; publishing then finds them made.

Owns nothing that publishing needs: what is not made by then, it makes itself.
"""

from __future__ import annotations

from posts.models import MediaKind, Post
from posts.publishing import errors, registry, words
from posts.selectors.media import waiting_for
from posts.services import media
from posts.services.queueing import RENDER_MEDIA
from queue_app.context import JobContext
from queue_app.outcomes import Done, Failure, Outcome, Retry
from queue_app.registry import job_type
from queue_app.retry import RetryPolicy

LOW_PRIORITY = 9


@job_type(
    RENDER_MEDIA,
    priority=LOW_PRIORITY,
    retry=RetryPolicy.exponential(max_attempts=3, base_seconds=60, cap_seconds=1800),
    timeout_seconds=1800,
    internal=True,
)
def render_media(context: JobContext, post_id: int) -> Outcome:
    """Render the pictures of a post for every account that it is to go out on; say how many there are now."""
    post = Post.objects.filter(pk=post_id).first()
    if post is None:
        return Done(0)
    made = set()
    for delivery in waiting_for(post):
        platform = registry.platforms().get(delivery.account.platform)
        if platform is None:
            continue
        for attached in post.post_media.select_related("media").filter(media__kind=MediaKind.IMAGE):
            try:
                made.add(media.rendering(attached, delivery, platform).pk)
            except errors.ContentRejected:
                continue  # said when it is to be published, where a person sees it
            except errors.Temporary as error:
                sentence = words.sentence(error.code, error.params, platform.label)
                return Retry(Failure(type(error).__name__, sentence, error.code))
    return Done(len(made))
