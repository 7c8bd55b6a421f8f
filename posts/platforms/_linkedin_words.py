"""What LinkedIn's own codes mean to people. Sentences only."""

from __future__ import annotations

from posts.publishing.words import CHANGE_AND_RETRY, DECIDE, RECONNECT, RETRIES, Words

WORDS = {
    "linkedin.token_expired": Words("The LinkedIn login is over.", "SocialQ renews it if LinkedIn allows that."),
    "linkedin.login_over": Words(
        "The LinkedIn login is over; without a partner's app it cannot be renewed and lasts 60 days.", RECONNECT
    ),
    "linkedin.login_too_new": Words("LinkedIn does not know the new login yet; that takes some seconds.", RETRIES),
    "linkedin.no_permission": Words(
        "LinkedIn does not let this login post to the account: a right or a role is missing.",
        "Check the products of the site's app and your role on the page, then connect the account again.",
    ),
    "linkedin.no_role": Words(
        "The member who connected the LinkedIn page is no administrator of it any more.",
        "Become an administrator of the page again, or have one connect it.",
    ),
    "linkedin.not_the_author": Words(
        "LinkedIn says that this login may not post in the account's name.",
        "Connect the account again, as a member who may post for it.",
    ),
    "linkedin.version_over": Words(
        "LinkedIn no longer answers the version of its API that this site asks for; nothing was published.",
        "Set SOCIALQ_LINKEDIN_API_VERSION to a current one (YYYYMM) and restart; posts then go out by themselves.",
    ),
    "linkedin.conflict": Words("LinkedIn was changing the same thing at that moment; nothing was published.", RETRIES),
    "linkedin.upload_over": Words(
        "LinkedIn ended an upload before it was complete; nothing was published.", "SocialQ uploads it again by itself."
    ),
    "linkedin.media_hidden": Words(
        "LinkedIn does not show an uploaded file to this login yet; nothing was published.", RETRIES
    ),
    "linkedin.media_failed": Words(
        "LinkedIn could not process an uploaded file; nothing was published.", "Replace the file, then retry."
    ),
    "linkedin.media_refused": Words("LinkedIn refused a file of the post.", "Replace the file, then retry."),
    "linkedin.text_too_long": Words("LinkedIn finds the text too long.", "Shorten the text, then retry."),
    "linkedin.post_refused": Words("LinkedIn refused the post.", CHANGE_AND_RETRY),
    "linkedin.duplicate": Words(
        "LinkedIn refused the post because the same text is there already ({urn}).",
        "Change the text, or leave it at the post that is there.",
    ),
    "linkedin.post_gone": Words(
        "The LinkedIn post that the comment belongs to is not there any more.", "Cancel it, or write a new post."
    ),
    "linkedin.id_missing": Words("LinkedIn says that the post is live, but not under which address.", DECIDE),
    "linkedin.cannot_tell_apart": Words(
        "LinkedIn shows several posts that could be this one, or too many new ones.", DECIDE
    ),
    "linkedin.link_unusable": Words("The link of the card is no web address.", "Enter one that starts with https://."),
    "linkedin.link_without_title": Words(
        "A link card on LinkedIn needs a title; LinkedIn does not read the page.", "Enter the title of the card."
    ),
    "linkedin.link_with_files": Words(
        "A link card on LinkedIn has one picture at most, and no video or document beside it.",
        "Take the card or the files off the post.",
    ),
    "linkedin.link_without_card": Words(
        "LinkedIn shows links of the text without a picture and title.", "Fill in the link card if you want one."
    ),
    "linkedin.poll_incomplete": Words(
        "A poll on LinkedIn has a question and two to four answers of at most 30 characters.", "Complete the poll."
    ),
    "linkedin.poll_with_more": Words(
        "A poll on LinkedIn stands alone, without files and link card.", "Take the poll or the rest off the post."
    ),
}
