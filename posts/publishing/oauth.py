"""OAuth 2 at the networks: the address to log in at, trading the code, refreshing. RFC 6749 and 7636.

Networks depart from the standards in ways that are data here (``OAuth``); what goes further is the platform's own. All
calls go through ``Http``, so the address guard, the deadline and redaction hold for logins too.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import quote, urlencode

from posts.publishing.errors import PublishError, RateLimited, ReconnectNeeded
from posts.publishing.http import Http, Response
from posts.publishing.types import App, Json

RATE_LIMIT_SECONDS = 60.0  # assumed where a 429 names no time

# RFC 6749, 5.2. Anything else that a token endpoint says is unexplained.
REFUSALS: Mapping[str, str] = {
    "invalid_grant": "oauth.grant_refused",
    "invalid_client": "oauth.client_refused",
    "unauthorized_client": "oauth.client_refused",
    "invalid_scope": "oauth.scope_refused",
}


@dataclass(frozen=True, slots=True)
class OAuth:
    """How a network does OAuth 2.

    ``authorize_url`` and ``token_url`` are split into host and path, so that the site's settings can move the host:
    people log in at ``auth_base``, codes are traded at ``token_base`` (moved by the API's setting where
    ``token_at_api``). ``scopes`` are required, ``optional_scopes`` asked for as well. ``client_auth`` says where the
    app's secret goes. ``refusals`` adds the network's own error names.
    """

    auth_base: str
    authorize_path: str
    token_base: str
    token_path: str
    scopes: tuple[str, ...]
    optional_scopes: tuple[str, ...] = ()
    scope_separator: str = " "
    client_id_name: str = "client_id"
    client_auth: Literal["body", "basic"] = "body"
    pkce: bool = True
    token_at_api: bool = False
    extra: Mapping[str, str] = field(default_factory=dict)
    refusals: Mapping[str, str] = field(default_factory=dict)

    def token_url(self, app: App) -> str:
        """Return where codes and refresh tokens are traded."""
        base = app.api(self.token_base) if self.token_at_api else app.auth(self.token_base)
        return base + self.token_path


@dataclass(frozen=True, slots=True)
class Callback:
    """One login under way: where the network sends the person back to, the state, and PKCE's secret."""

    redirect_uri: str
    state: str = field(repr=False)
    verifier: str = field(repr=False)

    @property
    def challenge(self) -> str:
        """PKCE's challenge of the verifier (S256)."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class Authorization:
    """Where the person logs in. ``registration`` (secret) is kept for the exchange, and for later logins under
    ``registration_key`` where that is not empty: an app that was registered at one server."""

    url: str
    registration: Json = field(default_factory=dict, repr=False)
    registration_key: str = ""


def authorization(spec: OAuth, app: App, callback: Callback, *, url: str = "") -> Authorization:
    """Return the address to log in at for an app of the site's settings; ``url`` replaces the usual one.

    Raises ReconnectNeeded (``oauth.app_missing``) where the settings have no app.
    """
    if not app.client_id:
        raise ReconnectNeeded("oauth.app_missing")
    asked = {
        "response_type": "code",
        spec.client_id_name: app.client_id,
        "redirect_uri": callback.redirect_uri,
        "scope": spec.scope_separator.join((*spec.scopes, *spec.optional_scopes)),
        "state": callback.state,
        **spec.extra,
    }
    if spec.pkce:
        asked |= {"code_challenge": callback.challenge, "code_challenge_method": "S256"}
    address = url or app.auth(spec.auth_base) + spec.authorize_path
    given = {name: value for name, value in asked.items() if value}  # no scopes where the app's own settings have them
    return Authorization(f"{address}?{urlencode(given, quote_via=quote)}")


def exchange(http: Http, spec: OAuth, app: App, code: str, callback: Callback) -> Json:
    """Trade a code for tokens. Raises ReconnectNeeded where the network refuses it."""
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": callback.redirect_uri}
    if spec.pkce:
        form["code_verifier"] = callback.verifier
    return ask_token(http, spec, app, form)


def refreshed(http: Http, spec: OAuth, app: App, refresh_token: str) -> Json:
    """Trade a refresh token for new tokens. Raises ReconnectNeeded where it is no longer accepted."""
    return ask_token(http, spec, app, {"grant_type": "refresh_token", "refresh_token": refresh_token})


def ask_token(http: Http, spec: OAuth, app: App, form: Mapping[str, str]) -> Json:
    """POST ``form`` to the token endpoint with the app's own login; return the answer with its ``access_token``."""
    headers: dict[str, str] = {}
    data = dict(form)
    http.hide(app.client_secret)
    if spec.client_auth == "basic" and app.client_secret:
        pair = f"{quote(app.client_id, safe='')}:{quote(app.client_secret, safe='')}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    else:
        data[spec.client_id_name] = app.client_id
        if app.client_secret:
            data["client_secret"] = app.client_secret
    http.hide(*(form[name] for name in ("code", "refresh_token", "code_verifier") if form.get(name)))
    return token_answer(http, spec, http.request("POST", spec.token_url(app), headers=headers, data=data))


def token_answer(http: Http, spec: OAuth, response: Response) -> Json:
    """Return a token endpoint's answer if it has an ``access_token``, else raise what it says."""
    answer = response.json_or_empty()
    token = answer.get("access_token")
    if response.status == 200 and isinstance(token, str) and token:
        http.hide(token, *(str(answer[name]) for name in ("refresh_token", "id_token") if answer.get(name)))
        return answer
    raise refusal(http, spec, response)


def refusal(http: Http, spec: OAuth, response: Response) -> PublishError:
    """Sort an answer of a token endpoint that is no success, by its ``error``."""
    answer, now = response.json_or_empty(), datetime.now(UTC)
    name = answer.get("error") if isinstance(answer.get("error"), str) else ""
    detail = http.redact(": ".join(filter(None, [str(name), str(answer.get("error_description", ""))])))
    if response.status == 429:
        wait = response.retry_after_seconds(now)
        until = now + timedelta(seconds=RATE_LIMIT_SECONDS if wait is None else max(1.0, wait))
        return RateLimited("rate_limited", until=until, scope="app", detail=detail, status_code=429)
    code = spec.refusals.get(str(name)) or REFUSALS.get(str(name))
    if code is not None:
        return ReconnectNeeded(code, detail=detail, status_code=response.status)
    if response.status >= 500 or response.status == 408:
        wait = response.retry_after_seconds(now)
        return response.unusable("server_error", detail=detail, retry_after_seconds=wait)
    return response.unusable("bad_answer" if response.status == 200 else "unexpected_answer", detail=detail)


def expiry(tokens: Json, now: datetime, name: str = "expires_in") -> datetime | None:
    """Return when a token ends: ``expires_in`` seconds from ``now``, or ``expires_at`` (ISO 8601 or Unix seconds)."""
    try:
        if tokens.get(name) not in (None, ""):
            return now + timedelta(seconds=float(tokens[name]))
        given = tokens.get(name.replace("_in", "_at"))
        if given in (None, ""):
            return None
        if isinstance(given, int | float) or str(given).isdigit():
            return datetime.fromtimestamp(float(given), UTC)
        at = datetime.fromisoformat(str(given))
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def granted(tokens: Json) -> tuple[str, ...]:
    """Return the scopes of a token answer: a list, or a text with spaces or commas between them."""
    scope = tokens.get("scope", tokens.get("permissions", ""))
    words = scope if isinstance(scope, list) else str(scope or "").replace(",", " ").split()
    return tuple(str(word) for word in words)


def require_scopes(spec: OAuth, scopes: tuple[str, ...]) -> None:
    """Raise ReconnectNeeded (``oauth.scope_missing``) where a granted list lacks what publishing needs."""
    missing = [scope for scope in spec.scopes if scope not in scopes] if scopes else []
    if missing:
        raise ReconnectNeeded("oauth.scope_missing", scopes=", ".join(missing))
