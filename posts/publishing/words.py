"""The words for every code that a platform or the kit raises: what happened, and one next step.

Owns the kit's sentences for people, as one table, and looks up those that platforms bring along (``Platform.words``).
Raises and decides nothing. A code without words is a defect that the tests find; at run time it still gets an honest
sentence.
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
RECONNECT = "Connect the account again; what waits for it can go out then."
CHANGE_AND_RETRY = "Change the post, then retry."

WORDS: dict[str, Words] = {
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
    "imported": Words("The account came from another site, without its login at {platform}.", RECONNECT),
    "login_over": Words("The login at {platform} is over, and cannot be renewed without its owner.", RECONNECT),
    "access_removed": Words("The access of this site's app was taken away at {platform}.", RECONNECT),
    "content_rejected": Words("{platform} refused the post.", CHANGE_AND_RETRY),
    "outcome_unknown": Words("The post was sent, but {platform} did not say whether it is live.", DECIDE),
    "post_empty": Words("The post has neither text nor a picture.", "Write a text or add a picture, then retry."),
    "media_unreadable": Words(
        "A file of the post could not be read on this server; nothing was sent.",
        "Check that the media folder is there and readable, or add the file again.",
    ),
    "media_no_room": Words(
        "This server has no room for the files of the post; nothing was sent.",
        "Make room on its disk; SocialQ tries again by itself.",
    ),
    "media_gone": Words(
        "The file {name} was deleted from this server some time after the post had ended; nothing was sent.",
        "Add the file again, then retry.",
    ),
    "media_unusable": Words("The file {name} cannot be sent: {reason}", "Replace it, then retry."),
    "credentials_unreadable": Words(
        "The stored login of this {platform} account cannot be opened with this site's keys.",
        "Put the key it was sealed with back into SOCIALQ_ENCRYPTION_KEYS, or connect the account again.",
    ),
    "identity_changed": Words(
        "{platform} renewed the login for another account, {identity}; nothing was sent.", RECONNECT
    ),
    "no_read_back": Words("{platform} has no way to look up whether the post is live.", DECIDE),
    "limit_used_up": Words(
        "{platform} takes nothing more for now: its limit is used up.",
        "Nothing to do: posts go out when the limit allows it again.",
    ),
    "window_full": Words(
        "{platform} takes only so many posts, {window}, and that many are out.",
        "Nothing to do: the post goes out when the next place is free.",
    ),
    "media_processing": Words(
        "{platform} is still processing an uploaded file; nothing is published yet.",
        "Nothing to do: SocialQ looks again by itself.",
    ),
    "upload_continues": Words(
        "A large file is being uploaded to {platform} in several goes.", "Nothing to do: the upload goes on by itself."
    ),
    "platform_processing": Words(
        "{platform} has taken the post and is still working on it.",
        "Nothing to do: SocialQ looks by itself whether it has appeared.",
    ),
    "platform_silent": Words("{platform} took the post long ago and has not said since whether it is live.", DECIDE),
    "prepared_expired": Words("What was prepared at {platform} has expired there; nothing is published.", RETRIES),
    "already_published": Words(
        "{platform} has published this post already, although it did not say so at the time.", DECIDE
    ),
    "published_unseen": Words(
        "{platform} may have published the post, but it is not among the account's recent ones.", DECIDE
    ),
    "several_match": Words(
        "More than one of the account's recent posts may be this one, so SocialQ cannot tell.", DECIDE
    ),
    "media_address_missing": Words(
        "{platform} downloads files itself, but this site has no address that it can reach.",
        "Set SITE_URL to the https:// address under which this site can be reached from outside.",
    ),
    "checkpoint_unreadable": Words(
        "An upload that was begun cannot be continued, because the key it was sealed with is gone.",
        "Nothing to do: SocialQ starts the upload anew.",
    ),
    # Logging in at a network
    "oauth.app_missing": Words(
        "This site has no app at {platform} yet, so nobody can log in there.",
        "Set the app's id and secret in the site's settings; the page to connect an account says how to get them.",
    ),
    "oauth.needs_browser": Words(
        "{platform} accounts are connected in the browser.",
        "Open Accounts in the admin, or give tokens of your own with --tokens-stdin.",
    ),
    "oauth.no_tokens": Words("{platform} has no tokens to connect with.", "Connect with what its form asks for."),
    "oauth.grant_refused": Words("{platform} does not accept this login any more.", RECONNECT),
    "oauth.client_refused": Words(
        "{platform} does not know this site's app, or its secret is wrong.",
        "Check the app's id and secret in the site's settings; what waits for them then goes out by itself.",
    ),
    "oauth.scope_refused": Words(
        "{platform} does not give this site's app a right that publishing needs.",
        "Enable the right for the app at the network, then connect the account again.",
    ),
    "oauth.scope_missing": Words(
        "The login at {platform} lacks a right that publishing needs: {scopes}.",
        "Connect again and leave all boxes ticked on the network's page.",
    ),
    "oauth.denied": Words(
        "The login at {platform} was not allowed on the network's page; nothing was connected.",
        "Connect again and agree there, if you want to post to the account.",
    ),
    "oauth.nothing_to_connect": Words(
        "The login at {platform} has nothing that can be posted to.",
        "Log in with an account that has a page, an organisation or a channel that it may post for.",
    ),
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
}


def learn(words: Mapping[str, Words]) -> None:
    """Add the words of a platform's own codes, which begin with its name."""
    WORDS.update(words)


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
