"""What X's own codes mean to people. Sentences only."""

from __future__ import annotations

from posts.publishing.words import CHANGE_AND_RETRY, DECIDE, LOOKS_OR_ASKS, RECONNECT, RETRIES, Words

WORDS = {
    # The login and the site's app
    "x.token_expired": Words("X no longer accepts this login.", "SocialQ renews the login and goes on."),
    "x.login_refused": Words(
        "X does not accept these tokens; they may have ended or belong to another app.",
        "Log in again, or give tokens that were made for this site's app a moment ago.",
    ),
    "x.wrong_token_kind": Words(
        "X knows these tokens as the app's own; a post needs those of a person.",
        "Connect the account again in the browser.",
    ),
    "x.no_write_permission": Words(
        "The site's app may only read on X.",
        "Give the app the right to read and write at developer.x.com, then connect the account again.",
    ),
    "x.suspended": Words("X has suspended or locked this account.", f"Sort it out with X. {RECONNECT}"),
    "x.app_not_enrolled": Words(
        "X does not let the site's app use this part of its API.",
        "Check at developer.x.com that the app belongs to a project with access; posts wait meanwhile.",
    ),
    # Money and limits
    "x.out_of_credits": Words(
        "The site's app has no credits left at X, or has reached its own spending cap; posts wait, none is lost.",
        "Add credits or raise the cap at developer.x.com; posts then go out by themselves.",
    ),
    "x.cost": Words(
        "X charges the site's app about {cost} for this.", "Nothing to do; it is said so that nobody is surprised."
    ),
    "x.cost_with_links": Words(
        "X charges the site's app about {cost} for this: of {posts} posts {links} with a link, which costs over ten "
        "times as much.",
        "Leave out links that are not needed.",
    ),
    # Media
    "x.media_refused": Words("X refused a file of the post.", "Replace the file, then retry."),
    "x.media_failed": Words(
        "X could not process the video or animation.", "Export it again as H.264 with AAC sound, then retry."
    ),
    "x.upload_gone": Words("X no longer knows an upload that was begun.", "SocialQ uploads it anew by itself."),
    "x.media_not_usable_yet": Words("X does not find the uploaded files yet; nothing was published.", RETRIES),
    "x.video_too_long": Words(
        "X takes no video of this length from this account.",
        "Shorten the video to 140 seconds, then retry; accounts with Premium may post longer ones.",
    ),
    "x.too_many_files": Words("X takes at most four files in a post.", "Remove some, then retry."),
    # The post
    "x.duplicate": Words(
        "X refused the post because the account has posted the same text a short time ago.",
        "Change the text, then retry; or leave it, if it is out already.",
    ),
    "x.duplicate_unclear": Words(
        "X says that the same text is live already, but SocialQ did not find the post.", LOOKS_OR_ASKS
    ),
    "x.not_permitted": Words(
        "X does not permit this post: its text may be too long for the account, or something in it may not be posted "
        "by apps.",
        CHANGE_AND_RETRY,
    ),
    "x.feature_not_permitted": Words(
        "X does not offer something in this post to the account.", "Take back what was chosen for X, then retry."
    ),
    "x.invalid_url": Words("X refused an address in the text.", "Correct the address, then retry."),
    "x.reply_not_allowed": Words(
        "X does not let the site's app answer this post.",
        "Publish without thread and first comment on X, then retry.",
    ),
    "x.refused": Words("X refused the post.", CHANGE_AND_RETRY),
    "x.invalid_request": Words("X found something in the post that it does not take.", CHANGE_AND_RETRY),
    "x.too_many_cashtags": Words(
        "The text has {count} cashtags (such as $ABC), X takes one in a post.", "Leave one, then try again."
    ),
    "x.forbidden_characters": Words(
        "The text has invisible characters that X does not take.", "Type the text anew instead of pasting it."
    ),
    "x.poll_choices": Words(
        "A poll on X has two to four answers of at most 25 characters each.", "Change the answers, then try again."
    ),
    "x.poll_minutes": Words(
        "A poll on X runs for 5 to 10,080 minutes, a week at most.", "Change the number of minutes, then try again."
    ),
    "x.poll_with_media": Words("A post on X has a poll or files, not both.", "Leave out one of them, then try again."),
    "x.poll_without_text": Words("A poll on X needs a text.", "Write the question, then try again."),
    # Looking it up
    "x.several_alike": Words("X shows several posts with this text since it was sent.", DECIDE),
    "x.too_many_to_look_through": Words("There are too many new posts of the account to look through.", DECIDE),
}
