"""Everything a platform can answer that is not success, typed once.

    PublishError
    ├── Unreachable        nothing was sent: DNS, connect, TLS, refused address
    ├── Temporary          a documented passing fault, or any fault before ``commit``
    ├── NotReady           the platform still works on what ``prepare`` gave it; look again later
    ├── RateLimited        429 or a documented code, until a known time
    ├── TokenExpired       the access token is over; refreshing may help
    ├── ReconnectNeeded    only the owner can mend it: revoked, kicked, suspended
    ├── ContentRejected    the platform documents that it refuses this content
    └── OutcomeUnknown     the body of ``commit`` left and no clear answer came

Every error but ``OutcomeUnknown`` states that the post did not go out. An error carries a ``code`` from
``posts.publishing.words`` and its parameters; sentences are made there, never here. ``detail`` is the platform's own
message, already redacted and cut.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal

DETAIL_MAX_CHARACTERS = 500

Scope = Literal["account", "app"]


class PublishError(Exception):
    """Base of all answers that are not success.

    ``code`` names the case ("telegram.kicked"), ``params`` fill its sentence, ``status_code`` is the HTTP status if
    there was one, ``detail`` the platform's own words.
    """

    default_code: ClassVar[str] = "unknown"

    def __init__(
        self,
        code: str | None = None,
        *,
        detail: str = "",
        status_code: int | None = None,
        **params: Any,
    ) -> None:
        self.code = code or self.default_code
        self.detail = detail[:DETAIL_MAX_CHARACTERS]
        self.status_code = status_code
        self.params = params
        super().__init__(f"{self.code}: {self.detail}" if self.detail else self.code)


class Unreachable(PublishError):
    """No byte of the request left: the name, the connection or TLS failed, or the address is not allowed."""

    default_code = "unreachable"


class Temporary(PublishError):
    """The platform cannot now, and documents (or the step guarantees) that nothing was published.

    ``restart``: what ``prepare`` made is gone there, so drop the checkpoints and the snapshot and prepare anew.
    ``new_config``: public values that have changed at the platform; merge them into the account's config before the
    next execution, and with them the identity's id where ``new_identity_id`` is given.
    """

    default_code = "temporary"

    def __init__(
        self,
        code: str | None = None,
        *,
        retry_after_seconds: float | None = None,
        restart: bool = False,
        new_config: dict[str, Any] | None = None,
        new_identity_id: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(code, **kwargs)
        self.retry_after_seconds = retry_after_seconds
        self.restart = restart
        self.new_config = new_config
        self.new_identity_id = new_identity_id


class NotReady(PublishError):
    """The platform processes an upload and has not refused it: look again after ``check_after_seconds``.

    Uses up no attempt. After ``deadline_seconds`` of waiting in a row the job fails with this code.
    """

    default_code = "media_processing"

    def __init__(
        self,
        code: str | None = None,
        *,
        check_after_seconds: float = 15,
        deadline_seconds: float = 86_400,
        **kwargs: Any,
    ) -> None:
        super().__init__(code, **kwargs)
        self.check_after_seconds = check_after_seconds
        self.deadline_seconds = deadline_seconds


class RateLimited(PublishError):
    """The platform asks to wait until ``until`` (aware UTC) for this account, the whole app, or this post alone.

    ``tell``: waiting alone mends nothing, so a person is told (credits used up).
    """

    default_code = "rate_limited"

    def __init__(
        self,
        code: str | None = None,
        *,
        until: datetime,
        scope: Scope | Literal["post"] = "account",
        tell: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(code, **kwargs)
        self.until = until
        self.scope = scope
        self.tell = tell


class TokenExpired(PublishError):
    """The access token is no longer accepted; a refresh may mend it."""

    default_code = "token_expired"


class ReconnectNeeded(PublishError):
    """Only the account's owner can mend it: access revoked, rights missing, account suspended."""

    default_code = "reconnect_needed"


class ContentRejected(PublishError):
    """A documented, permanent refusal of this content. ``field`` is ``text``, ``media``, ``alt_text``, ``post`` or the
    name of one of the platform's options."""

    default_code = "content_rejected"

    def __init__(
        self, code: str | None = None, *, field: str = "post", limit: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(code, **kwargs)
        self.field = field
        self.limit = limit


class OutcomeUnknown(PublishError):
    """The body of ``commit`` left, or may have left, and no documented answer came back."""

    default_code = "outcome_unknown"
