"""What is particular to one server with Mastodon's API: its address, its software, what it takes.

All of it is read from the server when an account is connected or checked and kept in the account's ``config``, from
which limits and options are built. Fields: https://docs.joinmastodon.org/entities/Instance/ and ../V1_Instance/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from posts.platforms._mastodon_calls import call, refusal
from posts.publishing.capabilities import Capabilities, ImageLimits, TextLimit, TextUnit, VideoLimits
from posts.publishing.errors import ReconnectNeeded
from posts.publishing.guard import is_private
from posts.publishing.platform import Session
from posts.publishing.types import Config, Json, Option

HOST = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
# Mastodon and its forks (4.5.3+glitch); others say "2.7.2 (compatible; Pleroma 2.9.1)" or have numbers of their own.
PLAIN_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})\.(\d{1,4})([-+.][0-9A-Za-z.+_-]+)?")
NAMED_VERSION = re.compile(r"\((?:compatible|not true)[;,]? ?(?:really )?([A-Za-z][A-Za-z.]*)")
# Servers that answer a used Idempotency-Key with the first answer whatever it was, so also with a refusal.
REPLAYS_REFUSALS = ("pleroma", "akkoma", "rebased")
COARSE_SCOPES = ("pixelfed",)  # knows "read" and "write" only

# Where each limit stands in the answer (the first place that has it counts), and Mastodon's own value.
LIMITS: Mapping[str, tuple[tuple[str, ...], int]] = {
    "characters": (("configuration.statuses.max_characters", "max_toot_chars"), 500),
    "characters_per_link": (("configuration.statuses.characters_reserved_per_url",), 23),
    "files": (("configuration.statuses.max_media_attachments", "max_media_attachments"), 4),
    "alt_text": (("configuration.media_attachments.description_limit", "description_limit"), 1500),
    "image_bytes": (("configuration.media_attachments.image_size_limit", "upload_limit"), 16_777_216),
    "image_pixels": (("configuration.media_attachments.image_matrix_limit",), 33_177_600),
    "video_bytes": (("configuration.media_attachments.video_size_limit", "upload_limit"), 103_809_024),
    "video_pixels": (("configuration.media_attachments.video_matrix_limit",), 8_294_400),
    "video_frames_per_second": (("configuration.media_attachments.video_frame_rate_limit",), 120),
    "poll_choices": (("configuration.polls.max_options", "poll_limits.max_options"), 4),
    "poll_choice_characters": (
        ("configuration.polls.max_characters_per_option", "poll_limits.max_option_chars"),
        50,
    ),
    "poll_min_seconds": (("configuration.polls.min_expiration", "poll_limits.min_expiration"), 300),
    "poll_max_seconds": (("configuration.polls.max_expiration", "poll_limits.max_expiration"), 2_629_746),
}
LARGEST_LIMIT = 1 << 40  # what is beyond that is no limit, and no database's integer
IMAGE_TYPES = ("image/jpeg", "image/png")
VIDEO_TYPES = ("video/mp4", "video/quicktime", "video/webm")
GIF_TYPES = ("image/gif",)
GIF_PIXELS = 921_600  # Mastodon's MAX_GIFV_SIZE; no server tells
MAX_SIDE_PIXELS = 8192
POLL_LENGTHS = (
    (300, "5 minutes"),
    (1800, "30 minutes"),
    (3600, "1 hour"),
    (21_600, "6 hours"),
    (86_400, "1 day"),
    (259_200, "3 days"),
    (604_800, "7 days"),
)


def server_address(entered: str) -> str:
    """Return the address of a server as a person enters it (``mastodon.social``), always with ``https://``.

    Plain ``http://`` is taken only for a name or an address inside a private network, since the login goes that way.
    Raises ReconnectNeeded for all that is more than a host and a port.
    """
    entered = entered.strip()
    try:
        parts = urlsplit(entered if "://" in entered else f"https://{entered}")
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except ValueError:  # also UnicodeError: no name that DNS could have
        parts, host, port = urlsplit(""), "", None
    is_number = _is_address(host)
    beyond = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
    if beyond or parts.scheme not in ("https", "http") or not (is_number or HOST.fullmatch(host)):
        raise ReconnectNeeded("mastodon.address_wrong")
    if parts.scheme == "http" and not (is_private(ip_address(host)) if is_number else "." not in host):
        raise ReconnectNeeded("mastodon.address_not_https")
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}{f':{port}' if port else ''}"


def host_of(instance: str) -> str:
    """Return the host, with its port if it has one, of a server's address."""
    return urlsplit(instance).netloc


def read_instance(session: Session, instance: str, token: str) -> Json:
    """Return what a server says about itself, {} if that is nothing of use; raises while it is out of order."""
    for path in ("/api/v2/instance", "/api/v1/instance"):
        response = call(session, "GET", path, base=instance, token=token)
        if response.status == 429 or response.status >= 500:
            raise refusal(session, "account", response)
        answer = response.json_or_empty() if response.status == 200 else {}
        if isinstance(answer.get("version"), str) and answer["version"]:
            return answer
    return {}


def config_of(answer: Json) -> Json:
    """Return what an account's ``config`` keeps of a server's answer."""
    limits = {name: _first(answer, places, default) for name, (places, default) in LIMITS.items()}
    types = _at(answer, "configuration.media_attachments.supported_mime_types")
    known = (*IMAGE_TYPES, *GIF_TYPES, *VIDEO_TYPES)
    return {
        "version": str(answer.get("version", ""))[:100],
        "software": _software(answer),
        "limits": limits,
        "mime_types": [each for each in known if each in types] if isinstance(types, list) else list(known),
    }


def is_at_least(config: Config, *least: int) -> bool:
    """Return whether the server runs Mastodon itself in this version or a later one; what comes before it does not."""
    version = PLAIN_VERSION.fullmatch(str(config.get("version", "")))
    if config.get("software") != "mastodon" or version is None:
        return False
    numbers, is_early = tuple(map(int, version.groups()[:3])), (version[4] or "").startswith("-")
    return numbers > least if is_early else numbers >= least


def capabilities_of(config: Config) -> Capabilities:
    """Return what the server of an account takes; Mastodon's own limits where nothing is known."""
    limits = limits_of(config)
    types = config.get("mime_types") or (*IMAGE_TYPES, *GIF_TYPES, *VIDEO_TYPES)
    videos, gifs = (tuple(each for each in these if each in types) for these in (VIDEO_TYPES, GIF_TYPES))
    text = (TextLimit(_unit(config), limits["characters"], link_length=limits["characters_per_link"]),)
    film = VideoLimits(
        max_bytes=limits["video_bytes"],
        formats=videos,
        max_pixels=limits["video_pixels"],
        max_frames_per_second=limits["video_frames_per_second"],
    )
    return Capabilities(
        text=text,
        max_images=limits["files"],
        images=ImageLimits(
            max_bytes=limits["image_bytes"],
            max_side_pixels=MAX_SIDE_PIXELS,
            formats=tuple(each for each in IMAGE_TYPES if each in types) or IMAGE_TYPES,
            max_pixels=limits["image_pixels"],
        ),
        alt_text=(TextLimit("code_points", limits["alt_text"]),),
        max_videos=1 if videos else 0,
        videos=film if videos else None,
        max_gifs=1,
        gifs=VideoLimits(max_bytes=limits["image_bytes"], formats=gifs, max_pixels=GIF_PIXELS) if gifs else None,
        threads=True,
        comment=text,
    )


def options_of(config: Config) -> tuple[Option, ...]:
    """Return what a person may choose for a post on the server of an account."""
    limits = limits_of(config)
    lengths = [each for each in POLL_LENGTHS if limits["poll_min_seconds"] <= each[0] <= limits["poll_max_seconds"]]
    seconds = [str(each[0]) for each in lengths]
    return (
        Option(
            "visibility",
            "Visibility",
            "choice",
            choices=(
                ("public", "Public"),
                ("unlisted", "Quiet public"),
                ("private", "Followers only"),
                ("direct", "Mentioned people only"),
            ),
            help="Left open, it is what the account has as its default at the server.",
        ),
        Option(
            "content_warning",
            "Content warning",
            maximum=limits["characters"],
            counts=True,
            help="Shown instead of the text until it is opened; it counts towards the length of the text.",
        ),
        Option("sensitive", "Hide the media behind a warning", "bool"),
        Option("poll", "Poll", "list", maximum=limits["poll_choices"], help="One answer a line, two at least."),
        Option(
            "poll_seconds",
            "The poll ends after",
            "choice",
            choices=tuple((str(length), label) for length, label in lengths),
            default="86400" if "86400" in seconds else (seconds or [""])[0],
        ),
        Option("poll_multiple", "Several answers may be chosen", "bool"),
        Option("poll_hides_totals", "Votes are hidden until the poll ends", "bool"),
    )


def limits_of(config: Config) -> Mapping[str, int]:
    """Return the limits in ``config``, Mastodon's own for what is not there."""
    return {name: default for name, (_, default) in LIMITS.items()} | dict(config.get("limits") or {})


def _unit(config: Config) -> TextUnit:
    """Return how the server counts: GoToSocial and Pleroma's kin give links no discount."""
    if config.get("software") == "gotosocial":
        return "code_points"
    return "mastodon" if limits_of(config)["characters_per_link"] else "graphemes"


def _software(answer: Json) -> str:
    """Return the name of a server's software in lower case, "" if it cannot be told."""
    version = str(answer.get("version", ""))
    if "gotosocial" in f"{version} {answer.get('source_url')}".lower():
        return "gotosocial"
    named = NAMED_VERSION.search(version)
    if named:
        return named[1].lower()
    # Only Mastodon numbers its API, since 4.3.
    is_numbered = isinstance(_at(answer, "api_versions.mastodon"), int)
    return "mastodon" if is_numbered and PLAIN_VERSION.fullmatch(version) else ""


def _first(answer: Json, places: tuple[str, ...], default: int) -> int:
    for place in places:
        value = _at(answer, place)
        least = 0 if place.endswith("per_url") else 1
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= LARGEST_LIMIT:
            return value
    return default


def _at(answer: object, place: str) -> object:
    for name in place.split("."):
        answer = answer.get(name) if isinstance(answer, dict) else None
    return answer


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
