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
    "telegram.image_refused": Words("Telegram refused a file of the post.", "Replace the file, then retry."),
    "telegram.file_too_big": Words(
        "The file is larger than the 20 MB that Telegram lets bots fetch.",
        "Send a smaller one, or upload it in the admin.",
    ),
    "telegram.file_out_of_reach": Words(
        "The Bot API server told no address for the file, as one does that runs with --local.",
        "Start that server without --local, then send the message again.",
    ),
    "telegram.album_refused": Words("Telegram refused this set of files.", "Change the files, then retry."),
    "telegram.album_unknown": Words(
        "Telegram reported a fault while it sent the album; some of its files may be live.", DECIDE
    ),
    "telegram.topic_malformed": Words(
        "The topic is not a number.", "Open a message of the topic: in its address it is the number before the last."
    ),
    "telegram.topic_gone": Words(
        "The topic of the Telegram group is closed or was deleted.",
        "Open the topic again, then connect the account again, or connect another topic.",
    ),
    "telegram.reply_gone": Words(
        "The message that this part of the thread answers is no longer in the chat.",
        "Decide whether the rest shall still go out; if so, send it as a new post.",
    ),
    "telegram.button_refused": Words("Telegram refused the address of a button.", "Change the buttons, then retry."),
    "telegram.button_malformed": Words(
        "A button needs a label, a | and a web address, unlike “{line}”.",
        "Write each button as in: Read more | https://example.com.",
    ),
    "telegram.buttons_on_album": Words(
        "Telegram shows no buttons below several files.", "Take the buttons off, or keep one file."
    ),
    "telegram.too_many_files": Words(
        "The post has {count} files, and an album on Telegram has at most {limit}.", "Take off some files."
    ),
    "telegram.animation_alone": Words(
        "On Telegram an animated picture goes alone.", "Take off the other files, or make a post of its own for it."
    ),
    "telegram.documents_apart": Words(
        "On Telegram documents do not go together with pictures and videos.",
        "Make a post of its own for the documents.",
    ),
}
