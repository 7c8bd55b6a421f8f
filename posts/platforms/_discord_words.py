"""What Discord's own codes mean to people. Sentences only."""

from __future__ import annotations

from posts.publishing.words import CHANGE_AND_RETRY, RETRIES, Words

NEW_WEBHOOK = "Make a new webhook in the channel's settings (Integrations) and connect the account again with it."

WORDS = {
    "discord.address_unusable": Words(
        "This is not the address of a Discord webhook.",
        "Copy it in Discord: the channel's settings, Integrations, Webhooks, Copy Webhook URL.",
    ),
    "discord.webhook_gone": Words("The Discord webhook was deleted.", NEW_WEBHOOK),
    "discord.wrong_token": Words("Discord does not accept the secret part of the webhook's address.", NEW_WEBHOOK),
    "discord.channel_gone": Words("The Discord channel of the webhook is not there any more.", NEW_WEBHOOK),
    "discord.no_access": Words("Discord does not let the webhook post in its channel.", NEW_WEBHOOK),
    "discord.wrong_channel": Words("The Discord channel is of a kind that takes no webhook's messages.", NEW_WEBHOOK),
    "discord.thread_closed": Words(
        "The Discord thread is archived, locked, or not in the webhook's channel.", "Choose another thread, then retry."
    ),
    "discord.thread_needed": Words(
        "The Discord channel is a forum, where a message belongs to a thread.",
        "Enter the name of a new thread or the id of an existing one, then retry.",
    ),
    "discord.thread_twice": Words(
        "A Discord message goes to a new thread or to an existing one, not to both.", "Leave one of the two empty."
    ),
    "discord.no_forum": Words(
        "Discord makes new threads for messages in forums only, and this channel is none.",
        "Leave the name of the thread empty, then retry.",
    ),
    "discord.tags_needed": Words(
        "The Discord forum wants a tag on every thread.", "Enter the id of a tag of the forum, then retry."
    ),
    "discord.id_unusable": Words("The ids of threads and tags on Discord are numbers.", "Copy the id in Discord."),
    "discord.file_too_large": Words("Discord found a file too large.", "Make it smaller, then retry."),
    "discord.files_too_large": Words(
        "The files of the post are larger together than Discord takes in one message (25 MiB).",
        "Take a file off the post, or make one smaller.",
    ),
    "discord.too_many_files": Words("A Discord message has ten files at most.", "Take files off the post."),
    "discord.file_refused": Words("Discord refused a file of the post.", "Replace the file, then retry."),
    "discord.automod": Words("A moderation rule of the Discord server refused the message.", CHANGE_AND_RETRY),
    "discord.title_blocked": Words("Discord refused the name of the thread.", "Change the name, then retry."),
    "discord.harmful_link": Words("Discord takes a link of the message for harmful.", "Remove the link, then retry."),
    "discord.message_refused": Words("Discord refused the message.", CHANGE_AND_RETRY),
    "discord.username_refused": Words(
        "Discord does not allow this name: it may not be “everyone” or “here”, nor contain “discord” or “clyde”.",
        "Change the name, or leave it empty for the webhook's own.",
    ),
    "discord.not_an_address": Words("This is no web address.", "Enter one that starts with https://."),
    "discord.color_unusable": Words("A color on Discord is written like #5865F2.", "Change the color."),
    "discord.embed_empty": Words(
        "An embed on Discord has a title or a description.", "Enter one, or leave the embed's other values empty."
    ),
    "discord.busy": Words("Discord has too much to do; nothing was published.", RETRIES),
    "discord.kept_out": Words("Discord's gateway let the call not through; nothing was published.", RETRIES),
}
