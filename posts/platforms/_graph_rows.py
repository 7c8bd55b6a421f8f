"""What the errors mean that all networks on Meta's Graph API share. Pure tables and their words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import NamedTuple

from posts.publishing.errors import ContentRejected, PublishError, ReconnectNeeded, Scope, TokenExpired
from posts.publishing.words import CHANGE_AND_RETRY, LOOKS_OR_ASKS, RECONNECT, Words

BLOCKED_SECONDS = 6 * 3600  # 368 names no time; to go on calling makes it longer


class Throttle(NamedTuple):
    """A limit that is used up: wait as long as the answer says, else ``seconds``."""

    scope: Scope = "account"
    code: str = "rate_limited"
    seconds: float = 600
    tell: bool = False


# An error, a limit, or only a code: a fault that passes, and an unknown outcome after an irreversible call.
Row = Callable[..., PublishError] | Throttle | str
# By (code, subcode); None is any.
Rows = Mapping[tuple[int | None, int | None], Row]

PERMISSION_CODES = (10, *range(200, 300))
ACCOUNT_LIMIT_CODES = (17, 32, 613, *range(80000, 80015))
APP_LIMIT_CODES = (4, 341)

# What token endpoints say about a code or a token that they do not take.
LOGIN_ROWS: Rows = {
    (1, None): partial(ReconnectNeeded, "oauth.client_refused"),  # "Error validating client secret."
    (101, None): partial(ReconnectNeeded, "oauth.client_refused"),
    (190, None): partial(ReconnectNeeded, "oauth.grant_refused"),
    (100, None): partial(ReconnectNeeded, "oauth.grant_refused"),
    (400, None): partial(ReconnectNeeded, "oauth.grant_refused"),  # the flat form of the older endpoints
}


@cache
def shared_rows(platform: str) -> Rows:
    """Return the shared table; codes without words of the kit begin with the platform's name."""
    reconnect = {
        458: "app_removed",
        459: "checkpoint",
        460: "password_changed",
        464: "checkpoint",
        467: "login_invalid",
        492: "login_invalid",
    }
    rows: dict[tuple[int | None, int | None], Row] = {
        (190, subcode): partial(ReconnectNeeded, f"{platform}.{name}") for subcode, name in reconnect.items()
    }
    rows |= {
        (190, 463): partial(TokenExpired, "token_expired"),
        (190, None): partial(TokenExpired, "token_expired"),
        (102, None): partial(TokenExpired, "token_expired"),
        (1, None): "server_error",
        (2, None): "server_error",
        (100, 33): f"{platform}.unreadable",
        (100, None): partial(ContentRejected, f"{platform}.invalid_parameter"),
        (368, None): Throttle("account", f"{platform}.blocked", BLOCKED_SECONDS, tell=True),
        (506, None): partial(ContentRejected, f"{platform}.duplicate"),
    }
    rows |= {(code, None): partial(ReconnectNeeded, f"{platform}.permission_missing") for code in PERMISSION_CODES}
    rows |= {(code, None): Throttle("account") for code in ACCOUNT_LIMIT_CODES}
    rows |= {(code, None): Throttle("app") for code in APP_LIMIT_CODES}
    return rows


def shared_words(platform: str) -> dict[str, Words]:
    """Return the words of the shared codes under a platform's name."""
    words = {
        "app_removed": Words("The access of this site's app was taken away at {platform}.", RECONNECT),
        "checkpoint": Words(
            "{platform} wants the account's owner to confirm something before anything can be posted.",
            "Log in at the network in a browser or in its app and do what it asks, then connect the account again.",
        ),
        "password_changed": Words("The password at {platform} was changed, which ended this login.", RECONNECT),
        "login_invalid": Words("{platform} ended this login.", RECONNECT),
        "permission_missing": Words(
            "{platform} says that this login may not do that: a right is missing, or was taken away.",
            "Connect the account again and leave all boxes ticked on the network's page.",
        ),
        "unreadable": Words("{platform} does not show what was asked for; that may pass.", LOOKS_OR_ASKS),
        "invalid_parameter": Words("{platform} refused a value of the post.", CHANGE_AND_RETRY),
        "blocked": Words(
            "{platform} has blocked posting for a while, because it takes the account's activity for abuse.",
            "Look into the account at the network; posts go out when the block is over.",
        ),
        "duplicate": Words("{platform} refused the post, because it equals the one before it.", CHANGE_AND_RETRY),
    }
    return {f"{platform}.{name}": text for name, text in words.items()}
