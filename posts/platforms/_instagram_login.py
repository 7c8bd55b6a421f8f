"""Logging in at Instagram, by either of its two products: Instagram's own login, or Facebook's through a Page.

Both speak Graph with the same edges, at different hosts and with tokens that the other does not take. Which one a site
uses is its setting; which one an account came by is in its config.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from posts.platforms._graph import Graph, only
from posts.platforms._instagram_rows import ROWS
from posts.publishing import oauth
from posts.publishing.errors import ReconnectNeeded
from posts.publishing.platform import Session
from posts.publishing.types import Connection, Identity, Json

INSTAGRAM, FACEBOOK = "instagram", "facebook"
FACEBOOK_VERSION = "v26.0"

GRAPHS: Mapping[str, Graph] = {
    INSTAGRAM: Graph("instagram", "https://graph.instagram.com", "v25.0", ROWS, refreshes=True),
    FACEBOOK: Graph("instagram", "https://graph.facebook.com", FACEBOOK_VERSION, ROWS),
}
LOGINS: Mapping[str, oauth.OAuth] = {
    INSTAGRAM: oauth.OAuth(
        auth_base="https://www.instagram.com",
        authorize_path="/oauth/authorize",
        token_base="https://api.instagram.com",  # noqa: S106 - an address
        token_path="/oauth/access_token",  # noqa: S106 - an address
        scopes=("instagram_business_basic", "instagram_business_content_publish"),
        optional_scopes=("instagram_business_manage_comments",),
        scope_separator=",",
        pkce=False,
    ),
    FACEBOOK: oauth.OAuth(
        auth_base="https://www.facebook.com",
        authorize_path=f"/{FACEBOOK_VERSION}/dialog/oauth",
        token_base="https://graph.facebook.com",  # noqa: S106 - an address
        token_path=f"/{FACEBOOK_VERSION}/oauth/access_token",
        scopes=("instagram_basic", "instagram_content_publish", "pages_read_engagement", "pages_show_list"),
        optional_scopes=("instagram_manage_comments",),
        scope_separator=",",
        pkce=False,
        token_at_api=True,
    ),
}


def login_of(session: Session) -> str:
    """Return the product that the site logs in by."""
    return FACEBOOK if session.app.settings.get("login", "").strip().lower() == FACEBOOK else INSTAGRAM


def graph_of(session: Session) -> Graph:
    """Return the Graph of the account's product."""
    return GRAPHS[session.config.get("login", INSTAGRAM)]


def trade_code(session: Session, code: str, callback: oauth.Callback) -> Json:
    """Trade a code for a short-lived token and that for one of 60 days; raises ReconnectNeeded if refused."""
    app, login = session.app, login_of(session)
    spec, graph = LOGINS[login], GRAPHS[login]
    code = code.removesuffix("#_")  # Instagram puts it behind the code
    asked = {
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "redirect_uri": callback.redirect_uri,
        "code": code,
    }
    session.http.hide(app.client_secret, code)
    if login == FACEBOOK:
        short = graph.long_token(session, "oauth/access_token", asked, versioned=True)
        grant = {"grant_type": "fb_exchange_token", "fb_exchange_token": short["access_token"]}
        app_login = {"client_id": app.client_id, "client_secret": app.client_secret}
        return {**graph.long_token(session, "oauth/access_token", grant | app_login, versioned=True), "login": login}
    form = {**asked, "grant_type": "authorization_code"}
    short = graph.token_answer(session, session.http.request("POST", spec.token_url(app), data=form))
    oauth.require_scopes(spec, oauth.granted(short))
    grant = {"grant_type": "ig_exchange_token", "access_token": short["access_token"]}
    long = graph.long_token(session, "access_token", {**grant, "client_secret": app.client_secret})
    return {**long, "permissions": short.get("permissions", ""), "login": login}


def profile(session: Session, token: str = "", *, connecting: bool = False) -> tuple[Identity, Json]:
    """Ask whose token this is, in Instagram's own login; return the identity and the config that follows from it."""
    fields = {"fields": "user_id,username"}
    response = GRAPHS[INSTAGRAM].get(session, "me", fields, token=token, connecting=connecting)
    me = only(response.json())
    if not me.get("user_id"):  # ``id`` is the app's own number of the account, of no use for publishing
        raise response.unusable("bad_answer")
    account, username = str(me["user_id"]), str(me.get("username") or "")
    return Identity(account, username or account), {"login": INSTAGRAM, "ig_id": account, "username": username}


def own_connection(session: Session, tokens: Json) -> Connection:
    """Return the account of a token of Instagram's own login."""
    token = str(tokens["access_token"])
    identity, config = profile(session, token, connecting=True)
    scopes = oauth.granted(tokens)
    oauth.require_scopes(LOGINS[INSTAGRAM], scopes)
    return Connection(
        identity=identity,
        credentials={"access_token": token},
        config={**config, "token_since": session.now().isoformat()},
        expires_at=oauth.expiry(tokens, session.now()),
        scopes=scopes,
    )


def page_connections(session: Session, tokens: Json) -> Sequence[Connection]:
    """Return the professional accounts of the Pages that a token of Facebook's login may post for.

    Page tokens that come from a long-lived token do not end.
    """
    graph, token = GRAPHS[FACEBOOK], str(tokens["access_token"])
    granted = graph.items(session, "me/permissions", {}, token=token, connecting=True)
    scopes = tuple(str(each.get("permission")) for each in granted if each.get("status") == "granted")
    oauth.require_scopes(LOGINS[FACEBOOK], scopes)
    fields = {"fields": "name,access_token,instagram_business_account{id,username}", "limit": "100"}
    found = []
    for page in graph.items(session, "me/accounts", fields, token=token, connecting=True):
        account, page_token = page.get("instagram_business_account"), page.get("access_token")
        if isinstance(account, dict) and account.get("id") and isinstance(page_token, str):
            session.http.hide(page_token)
            number, username = str(account["id"]), str(account.get("username") or "")
            config = {"login": FACEBOOK, "ig_id": number, "username": username, "page": str(page.get("name", ""))}
            identity = Identity(number, username or str(page.get("name") or number))
            found.append(Connection(identity, {"access_token": page_token}, config, scopes=scopes))
    if not found:
        raise ReconnectNeeded("instagram.no_professional_account")
    return found
