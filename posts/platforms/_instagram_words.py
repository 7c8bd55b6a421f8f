"""What Instagram's own codes mean to people. Sentences only."""

from __future__ import annotations

from posts.platforms._graph_rows import shared_words
from posts.publishing.words import CHANGE_AND_RETRY, LOOKS_OR_ASKS, RECONNECT, RETRIES, Words

REPLACE = "Replace the file, then retry."
REACHABLE = "Check that this site can be reached from outside under SITE_URL; SocialQ tries again by itself."

WORDS = shared_words("instagram") | {
    # The account
    "instagram.account_restricted": Words(
        "Instagram has restricted the account, or wants its owner to confirm something.",
        "Log in to the Instagram app and do what it asks, then connect the account again.",
    ),
    "instagram.no_professional_account": Words(
        "The login has no professional Instagram account that is linked to a Page.",
        "Make the Instagram account a business or creator account, link it to a Page, then connect again.",
    ),
    "instagram.wrong_login": Words("This account cannot renew its login by itself.", RECONNECT),
    # Before publishing
    "instagram.media_needed": Words(
        "Instagram has no posts of text alone.", "Attach a picture or a video, then retry."
    ),
    "instagram.too_many_files": Words(
        "An Instagram post has at most {most} files; this one has {count}.", CHANGE_AND_RETRY
    ),
    "instagram.story_one_file": Words("An Instagram story is exactly one picture or video.", CHANGE_AND_RETRY),
    "instagram.story_too_long": Words("A video in an Instagram story lasts at most 60 seconds.", REPLACE),
    "instagram.story_too_large": Words("A video in an Instagram story has at most 100 MB.", REPLACE),
    "instagram.story_without_text": Words(
        "Instagram stories carry no text; the text of the post will not be seen there.", CHANGE_AND_RETRY
    ),
    "instagram.reel_one_video": Words("An Instagram reel is exactly one video.", CHANGE_AND_RETRY),
    "instagram.video_too_wide": Words("A video on Instagram is at most 1,920 pixels wide.", REPLACE),
    "instagram.collaborators_on_carousel": Words(
        "Instagram takes no collaborators on a post with several files.", CHANGE_AND_RETRY
    ),
    "instagram.download_timeout": Words("Instagram could not download a file of the post in time.", REACHABLE),
    "instagram.media_unfetched": Words("Instagram could not fetch a file of the post from this site.", REACHABLE),
    "instagram.container_failed": Words("Instagram could not begin the post; nothing is published.", RETRIES),
    "instagram.container_missing": Words(
        "Instagram does not find what was prepared there; nothing is published.", RETRIES
    ),
    "instagram.media_missing": Words(
        "Instagram does not find the prepared post, or the login lacks a right; nothing is published.",
        "SocialQ prepares it anew. If it fails again, connect the account again.",
    ),
    "instagram.upload_failed": Words("Instagram could not take over or process a video.", RETRIES),
    # Refused
    "instagram.image_too_large": Words("Instagram refused a picture, because it has more than 8 MB.", REPLACE),
    "instagram.image_format": Words("Instagram refused the format of a picture.", REPLACE),
    "instagram.image_ratio": Words(
        "Instagram refused the shape of a picture: it takes 4:5 (upright) to 1.91:1 (wide).", REPLACE
    ),
    "instagram.caption_too_long": Words("Instagram refused the text, because it is too long.", CHANGE_AND_RETRY),
    "instagram.media_type": Words("Instagram does not know this kind of file.", REPLACE),
    "instagram.video_refused": Words("Instagram refused the format of a video.", REPLACE),
    "instagram.carousel_count": Words("Instagram refused the number of files.", CHANGE_AND_RETRY),
    "instagram.tag_refused": Words("Instagram refused a product tag.", CHANGE_AND_RETRY),
    "instagram.too_many_tags": Words("Instagram refused the post, because it tags too many.", CHANGE_AND_RETRY),
    "instagram.cover_offset": Words(
        "The moment chosen for the cover lies outside of the video.", "Choose an earlier moment, then retry."
    ),
    "instagram.no_trial_reels": Words("The account cannot publish trial reels.", CHANGE_AND_RETRY),
    # Afterwards
    "instagram.action_blocked": Words(
        "Instagram called the post blocked, which it also does with posts that are live.", LOOKS_OR_ASKS
    ),
}
