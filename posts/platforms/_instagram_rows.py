"""What Instagram's own errors mean. A pure table.

https://developers.facebook.com/docs/instagram-platform/instagram-graph-api/reference/error-codes, and what others have
reported of their publishing. The subcode decides; it comes in answers and at the end of a container's ``status``.
"""

from __future__ import annotations

import re
from functools import partial

from posts.platforms._graph_rows import Rows, Throttle
from posts.publishing.errors import ContentRejected, NotReady, ReconnectNeeded, Temporary

QUOTA_SECONDS = 3600
MEDIA_AGAIN_SECONDS = 5
CONTAINER_AGAIN_SECONDS = 60
CODE_IN_STATUS = re.compile(r"\b(2207\d{3})\b")

_refused_media = partial(partial, ContentRejected, field="media")

ROWS: Rows = {
    (None, 2207001): "server_error",
    (None, 2207003): "instagram.download_timeout",
    (None, 2207004): _refused_media("instagram.image_too_large"),
    (None, 2207005): _refused_media("instagram.image_format"),
    (None, 2207006): partial(Temporary, "instagram.media_missing", restart=True),
    (None, 2207008): partial(
        Temporary, "instagram.container_missing", restart=True, retry_after_seconds=CONTAINER_AGAIN_SECONDS
    ),
    (None, 2207009): _refused_media("instagram.image_ratio"),
    (None, 2207010): partial(ContentRejected, "instagram.caption_too_long", field="text"),
    (None, 2207020): partial(Temporary, "prepared_expired", restart=True),
    (None, 2207023): _refused_media("instagram.media_type"),
    (None, 2207026): _refused_media("instagram.video_refused"),
    (None, 2207027): partial(NotReady, "media_processing"),
    (None, 2207028): _refused_media("instagram.carousel_count"),
    (None, 2207032): "instagram.container_failed",
    (None, 2207035): partial(ContentRejected, "instagram.tag_refused"),
    (None, 2207036): partial(ContentRejected, "instagram.tag_refused"),
    (None, 2207037): partial(ContentRejected, "instagram.tag_refused"),
    (None, 2207040): partial(ContentRejected, "instagram.too_many_tags", field="text"),
    (None, 2207042): Throttle("account", "limit_used_up", QUOTA_SECONDS),
    (None, 2207050): partial(ReconnectNeeded, "instagram.account_restricted"),
    # Posts went live behind this one, and people who sent them again had them twice.
    (None, 2207051): "instagram.action_blocked",
    (None, 2207052): partial(Temporary, "instagram.media_unfetched", retry_after_seconds=MEDIA_AGAIN_SECONDS),
    (None, 2207053): "instagram.upload_failed",
    (None, 2207057): partial(ContentRejected, "instagram.cover_offset", field="cover_offset_ms"),
    (None, 2207077): "instagram.upload_failed",
    (None, 2207081): partial(ContentRejected, "instagram.no_trial_reels"),
    (None, 2207082): "instagram.upload_failed",
    (None, 2207085): "instagram.upload_failed",
}
