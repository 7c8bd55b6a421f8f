"""The posts app's settings, in the form of ``queue_app.conf``; read from the same ``settings.SOCIALQ``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from queue_app.conf import Setting, read

# What ``SOCIALQ["PLATFORMS"]`` may hold for every platform, beside the platform's own settings.
APP_SETTINGS: Mapping[str, str] = {
    "CLIENT_ID": "The id of your app at the network.",
    "CLIENT_SECRET": "The secret of your app at the network.",
    "API_BASE": "Another address of the network's API, for example of a server on this machine.",
    "AUTH_BASE": "Another address to log in at and to exchange codes.",
}

SETTINGS: Mapping[str, Setting] = {
    "ENABLED_PLATFORMS": Setting(
        [
            "outbox",
            "bluesky",
            "discord",
            "facebook",
            "instagram",
            "linkedin",
            "mastodon",
            "telegram",
            "threads",
            "tiktok",
            "webhook",
            "x",
            "youtube",
        ],
        "Platforms that may be connected and published to.",
    ),
    "ENCRYPTION_KEYS": Setting(
        [], "Fernet keys for credentials, newest first. Empty: derived from SECRET_KEY, with a warning."
    ),
    "ALLOW_PRIVATE_NETWORKS": Setting(
        False, "Whether platforms may be reached at loopback and private addresses (a PDS on this machine)."
    ),
    "NOTIFY_SCHEMES": Setting(
        [
            "discord",
            "gchat",
            "gotifys",
            "jsons",
            "mailtos",
            "matrixs",
            "mmosts",
            "nctalks",
            "ntfys",
            "pover",
            "rockets",
            "signals",
            "slack",
            "tgram",
            "workflows",
            "wxteams",
            "zulip",
        ],
        "Schemes of the chat addresses that people may be told at, by apprise.",
    ),
    "EXPIRE_AFTER_HOURS": Setting(24, "A post later than this is dropped instead of published stale."),
    "MEDIA_KEEP_DAYS": Setting(0, "Days a file is kept after its last delivery was published or cancelled."),
    "MEDIA_KEEP_FAILED_DAYS": Setting(7, "Days a file is kept after a delivery failed."),
    "MEDIA_MAX_BYTES": Setting(50_000_000, "The largest picture or document that can be uploaded."),
    "VIDEO_MAX_BYTES": Setting(1_000_000_000, "The largest video that can be uploaded.", most=1_000_000_000_000),
    "IMPORT_MAX_ROWS": Setting(
        500, "The most rows of a CSV file that are taken at a time: each is tried while a person waits.", least=1
    ),
    "IMPORT_MAX_BYTES": Setting(
        1_000_000, "The largest CSV file that is taken: it travels in the form that confirms it.", most=1_400_000
    ),
    "MEDIA_URL_HOURS": Setting(
        24, "How long a network may fetch a file by the signed address that it was given.", least=1, most=8760
    ),
    "HTTP_TIMEOUT_SECONDS": Setting(60, "Total time one call to a platform may take."),
    "WEBHOOK_OFF_AFTER_DAYS": Setting(
        5, "Days for which a webhook may fail without a break before it is switched off.", least=0.01, most=365
    ),
    "OUTBOX_PUBLIC": Setting(False, "Whether anybody may read /outbox/ when the site is not on loopback."),
}


def upload_limits() -> Mapping[str, int]:
    """Return how many bytes an upload may have, as arguments: ``max_bytes`` and, for videos, ``video_max_bytes``."""
    return {"max_bytes": get("MEDIA_MAX_BYTES"), "video_max_bytes": get("VIDEO_MAX_BYTES")}


def of_platform(name: str) -> Mapping[str, str]:
    """Return what the site has set for one platform: ``SOCIALQ["PLATFORMS"][name]``, by names in capitals.

    In this site's environment they are SOCIALQ_<PLATFORM>_CLIENT_ID and so on; with _FILE behind it, a file's content.
    """
    found: Mapping[str, str] = read({"PLATFORMS": Setting({}, "")}, "PLATFORMS").get(name, {})
    return found


def get(name: str) -> Any:
    """Return one of the posts app's settings; ``KeyError`` if it has no such setting."""
    return read(SETTINGS, name)
