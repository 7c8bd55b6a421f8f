"""What Bluesky's own codes mean to people. Sentences only."""

from __future__ import annotations

from posts.publishing.words import CHANGE_AND_RETRY, RECONNECT, Words

WORDS = {
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
        "Bluesky had already deleted an uploaded file; nothing was published.", "SocialQ uploads it again by itself."
    ),
    "bluesky.other_record": Words(
        "Another version of this post is already on Bluesky, so this one was not sent.",
        "Look at the post on Bluesky; mark this one as published, or cancel it and write a new post.",
    ),
    "bluesky.key_taken": Words(
        "Bluesky says that a post with this key exists, but did not show it.",
        "Nothing to do yet: SocialQ looks for the post again.",
    ),
    "bluesky.video_refused": Words(
        "Bluesky cannot use the video: its form, its length or its size is none that it takes.",
        "Replace the video by an MP4 of at most ten minutes, then retry.",
    ),
    "bluesky.video_failed": Words(
        "Bluesky could not process the video this time; nothing was published.", "SocialQ uploads it again by itself."
    ),
    "bluesky.video_over_server_limit": Words(
        "The server of this Bluesky account stores no file as large as the video; nothing was published.",
        "Use a smaller video, or raise PDS_BLOB_UPLOAD_LIMIT if the server is yours, then retry.",
    ),
    "bluesky.video_quota": Words(
        "Bluesky takes no more videos of this account today; nothing is published yet.",
        "Nothing to do: SocialQ asks every hour whether there is room again.",
    ),
    "bluesky.video_forbidden": Words(
        "Bluesky takes no videos of this account.", "Look in the Bluesky app why that is, then retry."
    ),
    "bluesky.email_unconfirmed": Words(
        "Bluesky takes videos only of accounts whose e-mail address is confirmed.",
        "Confirm the address in the Bluesky app (Settings, Account), then retry.",
    ),
    "bluesky.video_alone": Words(
        "On Bluesky a video or an animated picture goes alone.", "Take off the other files, or make two posts of them."
    ),
    "bluesky.language_unknown": Words("No language has the code {language}.", "Write codes such as de, en or pt-BR."),
}
