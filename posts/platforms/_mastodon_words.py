"""What the codes of servers with Mastodon's API mean to people. Sentences only."""

from __future__ import annotations

from posts.publishing.words import CHANGE_AND_RETRY, DECIDE, RECONNECT, RETRIES, Words

REPLACE_FILE = "Replace the file, then retry."

WORDS = {
    # Connecting
    "mastodon.address_wrong": Words(
        "The server's address must be a host name alone, such as mastodon.social.",
        "Enter the server's address without a name, a path or anything else, and connect again.",
    ),
    "mastodon.address_not_https": Words(
        "The server's address begins with http://, which would show the login to everybody on the way.",
        "Enter the address with https:// or without it, and connect again.",
    ),
    "mastodon.no_api": Words(
        "There is no server with Mastodon's API at {host}.",
        "Check the address: it is that of the server's own pages, which may differ from what stands behind the name.",
    ),
    "mastodon.app_refused": Words(
        "The server does not let SocialQ register itself as an app.",
        "Ask those who run the server, or connect with a token from its settings page (Development).",
    ),
    "mastodon.token_refused": Words("The server does not accept the access token.", RECONNECT),
    "mastodon.login_over": Words("The login at the server has ended or was taken back.", RECONNECT),
    "mastodon.login_disabled": Words(
        "The account is disabled, not confirmed or not approved at its server.",
        "Log in on the server's own page and see what it asks for, then connect the account again.",
    ),
    "mastodon.scope_missing": Words(
        "The access token lacks a right that publishing needs.",
        "Connect again; a token of your own needs read:accounts, read:statuses, write:media and write:statuses.",
    ),
    "mastodon.forbidden": Words("The server does not let SocialQ act for this account.", RECONNECT),
    # Publishing
    "mastodon.media_refused": Words("The server refused a file of the post.", REPLACE_FILE),
    "mastodon.media_too_large": Words("A file of the post is larger than the server takes.", REPLACE_FILE),
    "mastodon.media_faulty": Words("The server could not process a file of the post.", RETRIES),
    "mastodon.media_gone": Words(
        "The server no longer has a file that was uploaded for the post; nothing was published.",
        "Nothing to do: SocialQ uploads it again.",
    ),
    "mastodon.media_taken": Words(
        "The server says that the files of the post are gone or belong to a post already.",
        "SocialQ looks whether the post is live; if not, it uploads them again.",
    ),
    "mastodon.attachments_refused": Words("The server refused this set of files.", "Change the files, then retry."),
    "mastodon.text_refused": Words("The server refused the text.", "Change the text, then retry."),
    "mastodon.poll_refused": Words("The server refused the poll.", "Change the poll, then retry."),
    "mastodon.refused": Words("The server refused the post.", CHANGE_AND_RETRY),
    "mastodon.not_allowed": Words("The server does not allow the account this post.", CHANGE_AND_RETRY),
    "mastodon.reply_gone": Words(
        "The post that this part should answer is no longer there.", "Send the rest as a post of its own."
    ),
    # Looking up
    "mastodon.cannot_read": Words("The login may not read what the account has posted.", DECIDE),
    "mastodon.too_many_posts": Words(
        "The account has posted too much since to tell whether the post is there.", DECIDE
    ),
    "mastodon.several_alike": Words("Several posts of the account have this very text.", DECIDE),
    "mastodon.similar_post": Words("The account has a post that is much like it, but not the same.", DECIDE),
    "mastodon.direct_unseen": Words("The server may not show direct posts among those of the account.", DECIDE),
    # Before scheduling
    "mastodon.too_long_with_warning": Words(
        "The text and the content warning together have {length} characters, the limit is {maximum}.",
        "Shorten one of them.",
    ),
    "mastodon.poll_too_short": Words("A poll has two answers at least.", "Add an answer, one a line."),
    "mastodon.poll_doubled": Words("The poll has an answer twice.", "Take one of them out."),
    "mastodon.poll_answer_long": Words(
        "An answer of the poll has {length} characters, the limit is {maximum}.", "Shorten it."
    ),
    "mastodon.poll_with_media": Words(
        "The server takes a poll only without pictures and videos.", "Take the poll or the files out."
    ),
    "mastodon.direct": Words(
        "Only people who are mentioned in the text will see the post.",
        "Mention somebody, or choose another visibility.",
    ),
}
