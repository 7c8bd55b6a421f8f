"""Logging in at a server that knows no app of this site yet: register it, send the person there, trade the code.

Registration happens once for a server and a callback, and is kept by the kit. Methods: https://docs.joinmastodon.org/methods/apps/
and ../oauth/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from posts.platforms import _mastodon_instance as instances
from posts.platforms._mastodon_calls import call, error_text, refusal
from posts.publishing import oauth as logins
from posts.publishing.errors import PublishError, ReconnectNeeded
from posts.publishing.platform import Session
from posts.publishing.types import App, Json

APP_NAME = "SocialQ"
# Reading statuses is for the look-up after a lost answer.
OAUTH = logins.OAuth(
    auth_base="",  # each server is its own
    authorize_path="/oauth/authorize",
    token_base="",
    token_path="/oauth/token",  # noqa: S106 - a path
    scopes=("read:accounts", "write:media", "write:statuses"),
    optional_scopes=("read:statuses",),
    pkce=False,
)
# A right that a broader one contains; ``profile`` (4.3) says who it is, too.
BROADER: Mapping[str, tuple[str, ...]] = {
    "read:accounts": ("read", "profile"),
    "write:media": ("write",),
    "write:statuses": ("write",),
}


def authorize(session: Session, instance: str, callback: logins.Callback, known: Json) -> logins.Authorization:
    """Return where the person logs in at ``instance``, with the registration to keep.

    Raises ReconnectNeeded where there is no such server, or it takes no apps.
    """
    told = instances.read_instance(session, instance, "")
    if not told:
        raise ReconnectNeeded("mastodon.no_api", host=instances.host_of(instance))
    config = instances.config_of(told)
    same_place = known.get("instance") == instance and known.get("redirect_uri") == callback.redirect_uri
    if same_place and known.get("client_id") and _is_known(session, known):
        registration = known
    else:
        registration = _register(session, instance, callback.redirect_uri, config)
        _is_known(session, registration)  # before 4.3 an app without any token was soon deleted again
    begun = logins.authorization(_spec(registration), _app(session, registration), callback)
    return replace(begun, registration=registration, registration_key=f"{instance}|{callback.redirect_uri}")


def exchange(session: Session, code: str, callback: logins.Callback, registration: Json) -> Json:
    """Trade the code for tokens, and put the app's own login beside them."""
    session.http.hide(str(registration["client_secret"]))
    tokens = logins.exchange(session.http, _spec(registration), _app(session, registration), code, callback)
    kept = ("client_id", "client_secret", "application")
    return tokens | {name: registration[name] for name in kept}


def refresh(session: Session) -> Json:
    """Renew the tokens of the session's account; raises ReconnectNeeded where the server gave nothing to do so."""
    stored = session.credentials
    if not stored.get("refresh_token"):
        raise ReconnectNeeded("mastodon.login_over")
    registration = {**stored, "instance": session.config["instance"]}
    return logins.refreshed(session.http, OAUTH, _app(session, registration), stored["refresh_token"])


def credentials_of(session: Session, tokens: Json) -> Json:
    """Return what is kept secret of ``tokens``: a token's pair, and the app's login that renews it."""
    names = ("access_token", "refresh_token", "client_id", "client_secret")
    kept = {name: str(tokens[name]).strip() for name in names if tokens.get(name)}
    session.http.hide(*(value for name, value in kept.items() if name != "client_id"))
    return {"access_token": ""} | kept


def required_scopes(tokens: Json) -> tuple[str, ...]:
    """Return the scopes of ``tokens``; raises ReconnectNeeded where they are known and lack what publishing needs."""
    scopes = logins.granted(tokens)
    contained = [fine for fine, broader in BROADER.items() if set(broader) & set(scopes)]
    if scopes:
        logins.require_scopes(OAUTH, (*scopes, *contained))
    return scopes


def _register(session: Session, instance: str, redirect_uri: str, config: Json) -> Json:
    is_coarse = config["software"] in instances.COARSE_SCOPES
    scopes = ["read", "write"] if is_coarse else [*OAUTH.scopes, *OAUTH.optional_scopes]
    form = {"client_name": APP_NAME, "redirect_uris": redirect_uri, "scopes": " ".join(scopes)}
    if session.app.site_url:
        form["website"] = session.app.site_url
    response = call(session, "POST", "/api/v1/apps", base=instance, token="", data=form)
    answer = response.json_or_empty() if response.status in (200, 201) else {}
    client_id, client_secret = answer.get("client_id"), answer.get("client_secret")
    if not (isinstance(client_id, str) and isinstance(client_secret, str) and client_id and client_secret):
        if response.status == 429 or response.status >= 500:
            raise refusal(session, "account", response)
        detail = session.http.redact(error_text(response))
        raise ReconnectNeeded("mastodon.app_refused", detail=detail, status_code=response.status)
    session.http.hide(client_secret)
    return {
        "instance": instance,
        "redirect_uri": redirect_uri,
        "client_id": client_id,
        "client_secret": client_secret,
        "application": str(answer.get("name") or APP_NAME),
        "scopes": scopes,
        "pkce": config["software"] == "mastodon",  # those that number their API (4.3) are those that know PKCE
    }


def _is_known(session: Session, registration: Json) -> bool:
    """Ask for a token of the app itself; return whether the server still knows the app, as far as it can be told."""
    form = {"grant_type": "client_credentials", "scope": registration["scopes"][0]}
    try:
        logins.ask_token(session.http, OAUTH, _app(session, registration), form)
    except PublishError as error:
        return error.code != "oauth.client_refused"
    return True


def _spec(registration: Json) -> logins.OAuth:
    scopes = tuple(registration["scopes"])
    return replace(OAUTH, scopes=scopes, optional_scopes=(), pkce=bool(registration["pkce"]))


def _app(session: Session, registration: Json) -> App:
    """Return the app as it is registered at the account's server, in place of what the site's settings may say."""
    return replace(
        session.app,
        client_id=str(registration.get("client_id", "")),
        client_secret=str(registration.get("client_secret", "")),
        auth_base=str(registration["instance"]),
    )
