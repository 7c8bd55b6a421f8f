"""What the webhook's own codes mean to people. Sentences only."""

from __future__ import annotations

from posts.publishing.words import CHANGE_AND_RETRY, RETRIES, Words

WORDS = {
    "webhook.address_malformed": Words(
        "The address of the webhook is not a web address without a user name in it.",
        "Enter an address like https://example.com/hooks/posts; a login goes into the bearer token.",
    ),
    "webhook.secret_malformed": Words(
        "A secret of the webhook is not whsec_ followed by base64 of 24 to 64 bytes.",
        "Copy the secret from the receiver, or make one: whsec_ and the output of “openssl rand -base64 32”.",
    ),
    "webhook.not_authorized": Words(
        "The webhook's receiver does not accept the signature or the bearer token.",
        "Connect the account again with the receiver's present secret; while it changes, give both.",
    ),
    "webhook.gone": Words(
        "The webhook's receiver says that its address is gone for good.",
        "Ask the receiver for its new address and connect that.",
    ),
    "webhook.refused": Words("The webhook's receiver did not take the post (status {status}).", RETRIES),
    "webhook.content_refused": Words(
        "The webhook's receiver refused the post's content (status {status}).", CHANGE_AND_RETRY
    ),
    "webhook.too_large": Words(
        "As a webhook's event the post is larger than {limit} bytes.",
        "Shorten the text or the alt texts, or take off some files, then retry.",
    ),
}
