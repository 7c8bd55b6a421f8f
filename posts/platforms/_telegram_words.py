"""What Telegram's own codes mean to people. Sentences only."""

from __future__ import annotations

from posts.publishing.words import DECIDE, RECONNECT, Words

WORDS = {
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
