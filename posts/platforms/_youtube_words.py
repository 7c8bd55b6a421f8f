"""What YouTube's own codes mean to people. Sentences only."""

from __future__ import annotations

from posts.publishing.words import CHANGE_AND_RETRY, DECIDE, RECONNECT, RETRIES, Words

REPLACE_VIDEO = "Replace the video, then retry."

WORDS = {
    # The login and the channel
    "youtube.no_channel": Words(
        "This Google account has no YouTube channel.",
        "Open YouTube with it and create a channel, then connect the account again.",
    ),
    "youtube.scope_missing": Words(
        "The login lacks a right that YouTube asks for here.",
        "Connect the account again and leave all boxes ticked on Google's page.",
    ),
    "youtube.forbidden": Words("YouTube does not let SocialQ do this on the channel.", RECONNECT),
    "youtube.account_closed": Words(
        "The YouTube account is closed.", "Connect another channel and remove this account."
    ),
    "youtube.account_suspended": Words(
        "YouTube has suspended the account.", "Settle this with YouTube, then connect the account again."
    ),
    # Limits
    "youtube.quota_used_up": Words(
        "The quota of this site's Google project is used up for today; nothing more goes to YouTube until midnight in "
        "California.",
        "Nothing to do: uploads go on then. More quota is asked for in the Google Cloud console.",
    ),
    "youtube.channel_limit": Words(
        "The YouTube channel has reached the number of videos that it may upload in a day.",
        "Nothing to do: SocialQ goes on a day later. Verifying the channel's phone number raises the limit.",
    ),
    # The post
    "youtube.video_missing": Words(
        "A post on YouTube is a video; a picture beside it becomes its thumbnail.", "Attach a video, then retry."
    ),
    "youtube.title_missing": Words(
        "A video on YouTube needs a title, and the text has no first line to make one of.",
        "Write a title or a text, then retry.",
    ),
    "youtube.kids_missing": Words(
        "YouTube has to be told whether the video is made for children.", "Say whether it is, then retry."
    ),
    "youtube.angle_brackets": Words(
        "YouTube takes no “<” and “>” in titles, descriptions and tags.", "Write them in words, then retry."
    ),
    "youtube.tags_too_long": Words(
        "The tags have {length} characters together, as YouTube counts them; the limit is 500.",
        "Take some tags off, then retry.",
    ),
    "youtube.schedule_needs_public": Words(
        "A video that YouTube is to publish later becomes public then, so it cannot be unlisted or private.",
        "Choose public, or leave the time of publishing empty.",
    ),
    "youtube.comment_impossible": Words(
        "YouTube takes no comment on a video that is private, scheduled at YouTube or made for children.",
        "Leave the first comment empty for this account.",
    ),
    "youtube.unaudited": Words(
        "This site's Google project counts as not audited: YouTube locks the uploads of such a project to private.",
        "If the project has passed the audit, set SOCIALQ_YOUTUBE_AUDITED=yes and check the account.",
    ),
    "youtube.title_refused": Words("YouTube refused the title.", CHANGE_AND_RETRY),
    "youtube.description_refused": Words("YouTube refused the description.", CHANGE_AND_RETRY),
    "youtube.tags_refused": Words("YouTube refused the tags.", CHANGE_AND_RETRY),
    "youtube.category_refused": Words(
        "YouTube does not offer this category in the channel's country.", "Choose another category, then retry."
    ),
    "youtube.publish_at_refused": Words("YouTube refused the time of publishing.", CHANGE_AND_RETRY),
    "youtube.privacy_refused": Words("YouTube does not allow this visibility on the channel.", CHANGE_AND_RETRY),
    "youtube.details_refused": Words("YouTube refused the details of the video.", CHANGE_AND_RETRY),
    "youtube.video_refused": Words("YouTube does not take this file as a video.", REPLACE_VIDEO),
    # The upload
    "youtube.session_gone": Words(
        "YouTube no longer knows the upload that was begun; nothing was published.",
        "Nothing to do: SocialQ starts the upload anew.",
    ),
    "youtube.upload_incomplete": Words("YouTube has not received the whole video yet.", RETRIES),
    "youtube.not_in_uploads": Words(
        "The upload was sent, but YouTube no longer knows it and the channel's list does not show the video clearly.",
        DECIDE,
    ),
    "youtube.not_visible": Words(
        "YouTube does not show the uploaded video: it was deleted, or YouTube is slow to show it.",
        "Look at the channel's content in YouTube Studio, then mark it as published or send it again.",
    ),
    # What became of the video
    "youtube.processing_failed": Words("YouTube could not process the video: {reason}.", REPLACE_VIDEO),
    "youtube.rejected": Words(
        "YouTube rejected the video: {reason}.", "Look at the video in YouTube Studio; replace it, then retry."
    ),
    "youtube.duplicate": Words(
        "YouTube rejected the video as a duplicate of one that the channel has already.",
        "Look at the channel; if the video is missing there, send another file.",
    ),
    "youtube.deleted": Words("The video was deleted at YouTube while it was being processed.", "Retry to upload it."),
    # Comments
    "youtube.comments_disabled": Words(
        "The video takes no comments, so the first comment was not posted.",
        "Allow comments on the video in YouTube Studio, then retry.",
    ),
    "youtube.comment_refused": Words("YouTube refused the first comment.", "Change the comment, then retry."),
    "youtube.comment_not_seen": Words(
        "The first comment was sent, but YouTube does not show it among the video's comments.", DECIDE
    ),
}
