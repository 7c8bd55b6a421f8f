"""The words for every code that a platform or the kit raises: what happened, and one next step.

Owns sentences for people, as one table. Raises and decides nothing. A code without words is a defect that the tests
find; at run time it still gets an honest sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Words(NamedTuple):
    """``sentence`` may use ``{platform}`` and the error's parameters; ``next_step`` is shown as it is."""

    sentence: str
    next_step: str


RETRIES = "SocialQ tries again by itself; you need not do anything."
LOOKS_OR_ASKS = "If it may be live, SocialQ looks for it before anything is sent again; else it tries again by itself."
CHECK_SERVER = "Check the server's address of this account; SocialQ tries again by itself."
DECIDE = "Look on the platform whether the post is there, then mark it as published or send it again."
RECONNECT = "Connect the account again; what waits for it then goes out by itself."
CHANGE_AND_RETRY = "Change the post, then retry."

WORDS: Mapping[str, Words] = {
    # General, where nothing more exact is known
    "unknown": Words("{platform} answered something unexpected.", RETRIES),
    "unreachable": Words("{platform} could not be reached; nothing was sent.", RETRIES),
    "temporary": Words("{platform} cannot take the post right now; nothing was published.", RETRIES),
    "rate_limited": Words(
        "{platform} asks this account to wait before it posts again.",
        "Nothing to do: posts go out when the wait is over.",
    ),
    "token_expired": Words("{platform} no longer accepts this login.", "SocialQ renews the login and goes on."),
    "reconnect_needed": Words("{platform} does not let SocialQ post to this account any more.", RECONNECT),
    "content_rejected": Words("{platform} refused the post.", CHANGE_AND_RETRY),
    "outcome_unknown": Words("The post was sent, but {platform} did not say whether it is live.", DECIDE),
    "post_empty": Words("The post has neither text nor a picture.", "Write a text or add a picture, then retry."),
    "media_unreadable": Words(
        "A picture of the post could not be read on this server; nothing was sent.",
        "Check that the media folder is there and readable, or add the picture again.",
    ),
    "media_no_room": Words(
        "This server has no room for the pictures of the post; nothing was sent.",
        "Make room on its disk; SocialQ tries again by itself.",
    ),
    "media_gone": Words(
        "The picture {name} was deleted from this server some time after the post had ended; nothing was sent.",
        "Add the picture again, then retry.",
    ),
    "media_unusable": Words("The picture {name} cannot be sent: {reason}", "Replace the picture, then retry."),
    "credentials_unreadable": Words(
        "The stored login of this {platform} account cannot be opened with this site's keys.",
        "Put the key it was sealed with back into SOCIALQ_ENCRYPTION_KEYS, or connect the account again.",
    ),
    "identity_changed": Words(
        "{platform} renewed the login for another account, {identity}; nothing was sent.", RECONNECT
    ),
    "no_read_back": Words("{platform} has no way to look up whether the post is live.", DECIDE),
    # The way to the server: nothing was sent
    "dns_failed": Words("The server {host} was not found; nothing was sent.", CHECK_SERVER),
    "connect_failed": Words("The server {host} did not accept a connection; nothing was sent.", CHECK_SERVER),
    "connect_timeout": Words(
        "The server {host} did not answer the connection in time; nothing was sent.", CHECK_SERVER
    ),
    "tls_failed": Words(
        "The server {host} could not prove who it is (its certificate was refused); nothing was sent.",
        "Have the certificate of that server mended; SocialQ tries again by itself.",
    ),
    "address_refused": Words(
        "The server {host} is at the private address {address}, which this site does not call; nothing was sent.",
        "If that server is yours, set SOCIALQ_ALLOW_PRIVATE_NETWORKS=true and restart.",
    ),
    "address_forbidden": Words(
        "The server {host} is at {address}, an address that SocialQ never calls; nothing was sent.",
        "Connect the account with another server address.",
    ),
    "address_invalid": Words(
        "The server's address is not a web address; nothing was sent.",
        "Connect the account again with an address that starts with https://.",
    ),
    "request_invalid": Words(
        "The request to {host} could not be written, because the login has characters that cannot be sent.", RECONNECT
    ),
    # The answer
    "no_answer_in_time": Words("{host} did not answer in time.", LOOKS_OR_ASKS),
    "connection_lost": Words("The connection to {host} broke off before the answer was complete.", LOOKS_OR_ASKS),
    "bad_answer": Words("{host} answered, but not in the form that {platform} documents.", LOOKS_OR_ASKS),
    "encoded_answer": Words("{host} sent a packed answer, although none was asked for.", LOOKS_OR_ASKS),
    "answer_too_large": Words("{host} sent far more than an answer can have.", LOOKS_OR_ASKS),
    "server_error": Words("{host} reported a fault of its own.", LOOKS_OR_ASKS),
    "unexpected_answer": Words("{host} gave an answer that {platform} does not document.", LOOKS_OR_ASKS),
    # Bluesky
    "bluesky.wrong_password": Words(
        "Bluesky does not know this handle with this app password.",
        "Check the handle, make a new app password (Settings, Privacy and security, App passwords) and use that.",
    ),
    "bluesky.email_code_needed": Words(
        "Bluesky asks for a code sent by e-mail, because this is the password of the account itself.",
        "Make an app password (Settings, Privacy and security, App passwords) and connect with that.",
    ),
    "bluesky.login_refused": Words(
        "The server could not use this handle and password.", "Check the handle and the server's address."
    ),
    "bluesky.session_over": Words("Bluesky ended the login, or the app password was deleted.", RECONNECT),
    "bluesky.token_expired": Words("The Bluesky login has run out.", "SocialQ renews the login and goes on."),
    "bluesky.taken_down": Words(
        "Bluesky has taken this account down.", "Settle it with Bluesky, then connect the account again."
    ),
    "bluesky.deactivated": Words(
        "This Bluesky account is not active.", "Reactivate it in the Bluesky app, then connect the account again."
    ),
    "bluesky.account_gone": Words(
        "The server does not know this Bluesky account any more: it was deleted or moved to another server.",
        "Connect the account again, with the server where it lives now.",
    ),
    "bluesky.account_hidden": Words(
        "The server does not show what this Bluesky account has posted; the account may be deactivated or taken down.",
        "Reactivate the account in the Bluesky app; SocialQ looks again by itself for a while.",
    ),
    "bluesky.image_refused": Words("Bluesky refused a picture.", "Replace the picture, then retry."),
    "bluesky.record_refused": Words("Bluesky refused the post.", CHANGE_AND_RETRY),
    "bluesky.blob_gone": Words(
        "Bluesky had already deleted an uploaded picture; nothing was published.", "SocialQ uploads it again by itself."
    ),
    "bluesky.other_record": Words(
        "Another version of this post is already on Bluesky, so this one was not sent.",
        "Look at the post on Bluesky; mark this one as published, or cancel it and write a new post.",
    ),
    "bluesky.key_taken": Words(
        "Bluesky says that a post with this key exists, but did not show it.",
        "Nothing to do yet: SocialQ looks for the post again.",
    ),
    # The built-in outbox
    "outbox.no_mailbox": Words(
        "The outbox has no mailbox with this name any more; nothing was sent.", "Connect the account again."
    ),
    "outbox.bad_name": Words(
        "The outbox does not take this name: it has more than {maximum} characters, or some that cannot be shown.",
        "Enter another name.",
    ),
    "outbox.bad_keeps_keys": Words("Whether repeats are recognised is neither yes nor no.", "Enter yes or no."),
    # Telegram
    "telegram.wrong_token": Words(
        "Telegram does not accept the bot's token.", "Copy the token from @BotFather and connect the account again."
    ),
    "telegram.kicked": Words(
        "The bot was removed from the Telegram chat.", "Add the bot to the chat again, then connect the account again."
    ),
    "telegram.not_a_member": Words(
        "The bot may not post in the Telegram chat, because it is no member or no administrator there.",
        "Add the bot to the chat (to a channel as an administrator who may post), then connect the account again.",
    ),
    "telegram.no_right_to_post": Words(
        "The bot is in the Telegram chat, but has no right to post there.",
        "Give the bot the right to post messages, then connect the account again.",
    ),
    "telegram.blocked": Words(
        "The person blocked the bot, or never started it.", "Have them start the bot, then connect the account again."
    ),
    "telegram.chat_gone": Words(
        "The Telegram chat or its owner no longer exists.", "Connect another chat and remove this account."
    ),
    "telegram.chat_not_found": Words(
        "Telegram finds no such chat, or the bot was never in it.",
        "Check the name or number of the chat, add the bot to it, then connect the account again.",
    ),
    "telegram.forbidden": Words("Telegram does not let the bot post in this chat.", RECONNECT),
    "telegram.chat_moved": Words(
        "The Telegram group has become a supergroup with a new number; nothing was sent.",
        "SocialQ takes over the new number and tries again by itself.",
    ),
    "telegram.text_refused": Words("Telegram refused the text.", "Change the text, then retry."),
    "telegram.image_refused": Words("Telegram refused a picture.", "Replace the picture, then retry."),
    "telegram.album_refused": Words("Telegram refused this set of pictures.", "Change the pictures, then retry."),
    "telegram.album_unknown": Words(
        "Telegram reported a fault while it sent the album; some of its pictures may be live.", DECIDE
    ),
}


def sentence(code: str, params: Mapping[str, Any], platform_label: str) -> str:
    """Return what happened as one sentence for people; an unknown code is named in it. Never raises."""
    template = WORDS[code].sentence if code in WORDS else "{platform} reported “{code}”."
    return template.format_map(_Known({**params, "platform": platform_label, "code": code}))


def next_step(code: str) -> str:
    """Return what to do next as one sentence."""
    return WORDS[code].next_step if code in WORDS else "Look at the details of the last attempt, then retry."


class _Known(dict[str, Any]):
    """Parameters, where one that is missing reads as words instead of failing the page."""

    def __missing__(self, key: str) -> str:
        return "the server" if key == "host" else "unknown"
