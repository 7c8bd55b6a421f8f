"""What Threads' own errors mean, and why a container failed. Pure tables.

https://developers.facebook.com/documentation/threads/troubleshooting, and what others have reported of publishing.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from posts.platforms._graph_rows import Row, Rows, Throttle
from posts.publishing.errors import ContentRejected, NotReady, ReconnectNeeded, Temporary

AGAIN_SECONDS = 10
UNSEEN_DEADLINE_SECONDS = 900

ROWS: Rows = {
    (4, None): Throttle("account"),  # calls are counted for each pair of app and person
    # "Media Not Found" for something that is there: a race, although ``is_transient`` says it is none.
    (None, 4279009): partial(
        NotReady,
        "threads.not_seen_yet",
        check_after_seconds=AGAIN_SECONDS,
        deadline_seconds=UNSEEN_DEADLINE_SECONDS,
    ),
    (None, 4279013): partial(ReconnectNeeded, "threads.account_restricted"),
    (None, 2207051): "threads.action_blocked",
    (None, 2207052): partial(Temporary, "threads.media_unfetched"),
}
# At publishing these came for posts that were live.
PUBLISH_ROWS: Rows = {(10, None): "threads.refused_unclearly", (100, None): "threads.refused_unclearly"}

_refused_video = partial(ContentRejected, "threads.video_refused", field="media")
FAILURES: Mapping[str, Row] = {
    "FAILED_DOWNLOADING_VIDEO": partial(Temporary, "threads.media_unfetched"),
    "UNKNOWN": partial(Temporary, "threads.media_unfetched"),
    "FAILED_PROCESSING_AUDIO": _refused_video,
    "FAILED_PROCESSING_VIDEO": _refused_video,
    "INVALID_ASPEC_RATIO": _refused_video,  # spelt so
    "INVALID_ASPECT_RATIO": _refused_video,
    "INVALID_BIT_RATE": _refused_video,
    "INVALID_DURATION": _refused_video,
    "INVALID_FRAME_RATE": _refused_video,
    "INVALID_AUDIO_CHANNELS": _refused_video,
    "INVALID_AUDIO_CHANNEL_LAYOUT": _refused_video,
}
