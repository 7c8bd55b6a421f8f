"""What TikTok's own codes mean to people. Sentences only."""

from __future__ import annotations

from posts.publishing.words import CHANGE_AND_RETRY, DECIDE, RECONNECT, Words

REPLACE_VIDEO = "Replace the video, then retry."

WORDS = {
    # The login and the creator
    "tiktok.scope_missing": Words(
        "The login at TikTok lacks a right that publishing needs.",
        "Connect the account again and leave all boxes ticked on TikTok's page.",
    ),
    "tiktok.banned": Words(
        "TikTok does not let this account post at the moment.",
        "Look in the TikTok app why; connecting again does not help. Connect it once TikTok has lifted the ban.",
    ),
    # Limits
    "tiktok.too_many_posts": Words(
        "TikTok takes no more posts from this account today.", "Nothing to do: posts go out from midnight UTC on."
    ),
    "tiktok.too_many_pending": Words(
        "Too many posts of this account wait at TikTok to be finished.",
        "Nothing to do: SocialQ goes on from midnight UTC on. Drafts in the TikTok inbox count too.",
    ),
    "tiktok.user_cap": Words(
        "As many people as TikTok allows a day have posted through this site's app.",
        "Nothing to do: posts go out from midnight UTC on. An audit of the app by TikTok raises the number.",
    ),
    # The post
    "tiktok.media_missing": Words(
        "A post on TikTok is a video or up to 35 photos.", "Attach a video or a photo, then retry."
    ),
    "tiktok.privacy_missing": Words(
        "TikTok wants a person to choose who can see each post.", "Choose who can see it, then retry."
    ),
    "tiktok.privacy_refused": Words(
        "The TikTok account does not offer this choice of who can see the post.",
        "Check the account, choose one of those it offers now, then retry.",
    ),
    "tiktok.unaudited": Words(
        "TikTok has not audited this site's app, so it takes posts only for accounts that are private in TikTok.",
        "Make the account private in the TikTok app, or have the app audited, then retry.",
    ),
    "tiktok.unaudited_note": Words(
        "This site's app counts as not audited: nobody but the account itself will see the post, and TikTok takes it "
        "only while the account is private.",
        "Once TikTok has audited the app, set SOCIALQ_TIKTOK_AUDITED=yes and check the account.",
    ),
    "tiktok.branded_private": Words(
        "TikTok does not allow branded content that only the account itself can see.",
        "Choose another visibility, or take the mark of branded content off.",
    ),
    "tiktok.text_too_long": Words(
        "The text has {length} characters, the limit for a video on TikTok is {maximum}.",
        "Shorten the text, then retry.",
    ),
    "tiktok.video_too_long": Words(
        "The video is longer than the {seconds} seconds that TikTok allows this account.",
        "Attach a shorter video, then retry.",
    ),
    "tiktok.cover_outside": Words(
        "The moment of the cover lies behind the end of the video.", "Choose an earlier moment, then retry."
    ),
    "tiktok.refused": Words("TikTok refused the post's details.", CHANGE_AND_RETRY),
    "tiktok.spam": Words("TikTok takes the post for spam.", CHANGE_AND_RETRY),
    "tiktok.text_spam": Words("TikTok takes the text of the post for spam.", "Change the text, then retry."),
    "tiktok.domain_unverified": Words(
        "TikTok downloads photos only from an address that the app's owner has proved to own.",
        "Verify this site's address in the TikTok developer portal, then retry.",
    ),
    # The upload
    "tiktok.upload_gone": Words(
        "TikTok no longer knows the upload that was begun, or its hour is over; nothing was published.",
        "Nothing to do: SocialQ starts the upload anew.",
    ),
    "tiktok.upload_incomplete": Words(
        "TikTok has not received the whole video yet.", "Nothing to do: SocialQ sends the rest by itself."
    ),
    "tiktok.upload_refused": Words(
        "TikTok did not take a piece of the video.", "Nothing to do: SocialQ asks how much has arrived and goes on."
    ),
    # What became of the post
    "tiktok.format_refused": Words(
        "TikTok does not take the format of this file.", "Replace it (MP4 with H.264 is best), then retry."
    ),
    "tiktok.duration_refused": Words("The video is too long or too short for TikTok.", REPLACE_VIDEO),
    "tiktok.frame_rate_refused": Words(
        "TikTok takes videos of 23 to 60 pictures a second; this one has others.", REPLACE_VIDEO
    ),
    "tiktok.size_refused": Words("TikTok does not take pictures of this width and height.", "Replace it, then retry."),
    "tiktok.cancelled": Words("The post was cancelled at TikTok.", "Retry to post it again."),
    "tiktok.access_removed": Words(
        "Access to the TikTok account was removed while the post was being processed; it is not live.", RECONNECT
    ),
    "tiktok.internal": Words(
        "TikTok dropped the post for a fault of its own; it is not live.", "SocialQ sends it again by itself."
    ),
    "tiktok.pull_failed": Words(
        "TikTok could not download the files from this site; the post is not live.",
        "See that the site can be reached from outside; SocialQ sends the post again by itself.",
    ),
    "tiktok.failed": Words(
        "TikTok dropped the post and gave a reason that it does not document: {reason}.",
        "Look in the TikTok app, change the post, then retry.",
    ),
    "tiktok.publish_unknown": Words("TikTok no longer says what became of the post.", DECIDE),
    "tiktok.status_unclear": Words("TikTok does not say how much of the video has arrived.", DECIDE),
    "tiktok.cannot_list": Words(
        "The answer was lost, and the login has no right to look through the account's posts.", DECIDE
    ),
    "tiktok.not_listed": Words(
        "The answer was lost, and the account's list of public posts does not show the post clearly.", DECIDE
    ),
}
