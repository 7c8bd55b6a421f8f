"""What Threads' own codes mean to people. Sentences only."""

from __future__ import annotations

from posts.platforms._graph_rows import shared_words
from posts.publishing.words import CHANGE_AND_RETRY, LOOKS_OR_ASKS, RETRIES, Words

REACHABLE = "Check that this site can be reached from outside under SITE_URL; SocialQ tries again by itself."
REPLACE = "Replace the file, then retry."

WORDS = shared_words("threads") | {
    # The account
    "threads.account_restricted": Words(
        "Threads has restricted the account.", "Log in to the Threads app and do what it asks, then connect again."
    ),
    # Before publishing
    "threads.too_many_files": Words("A Threads post has at most {most} files; this one has {count}.", CHANGE_AND_RETRY),
    "threads.too_many_links": Words(
        "A Threads post has at most {most} different links; with its link card this one has {count}.", CHANGE_AND_RETRY
    ),
    "threads.video_too_wide": Words("A video on Threads is at most 1,920 pixels wide.", REPLACE),
    "threads.topic_sign": Words("A topic on Threads has no full stop and no “&”.", CHANGE_AND_RETRY),
    "threads.poll_size": Words("A poll on Threads has two to four answers.", CHANGE_AND_RETRY),
    "threads.poll_answer_long": Words("An answer of a poll on Threads has at most 25 characters.", CHANGE_AND_RETRY),
    "threads.poll_with_media": Words("A poll on Threads goes with a text alone.", CHANGE_AND_RETRY),
    "threads.link_with_media": Words("A link card on Threads goes with a text alone.", CHANGE_AND_RETRY),
    "threads.link_invalid": Words("The link for the card is not a web address.", CHANGE_AND_RETRY),
    "threads.text_needed": Words("A poll or a link card on Threads needs a text.", CHANGE_AND_RETRY),
    "threads.media_unfetched": Words("Threads could not fetch a file of the post from this site.", REACHABLE),
    "threads.upload_failed": Words("Threads could not take over a file of the post.", RETRIES),
    "threads.video_refused": Words("Threads refused a video.", REPLACE),
    "threads.not_seen_yet": Words(
        "Threads does not see yet what was just prepared there; nothing is published.",
        "Nothing to do: SocialQ tries again by itself.",
    ),
    "threads.container_unseen": Words(
        "Threads never saw what was prepared there; nothing is published.", "SocialQ prepares it anew by itself."
    ),
    # Afterwards
    "threads.refused_unclearly": Words(
        "Threads refused to publish, which it also does with posts that are live.", LOOKS_OR_ASKS
    ),
    "threads.action_blocked": Words(
        "Threads called the post blocked, which it also does with posts that are live.", LOOKS_OR_ASKS
    ),
}
