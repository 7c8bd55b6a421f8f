"""A real OAuth 2 server, Authlib's, on a socket of this machine: code, PKCE, refresh tokens that work once, revocation.

It has one client and one protected page, ``/me``. ``who`` is the person that the next login is; ``agrees`` is what that
person presses. Nothing of ours is in what it answers at its authorization and token endpoints.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector, current_token
from authlib.oauth2.rfc6749 import (
    AuthorizationCodeMixin,
    ClientMixin,
    OAuth2Error,
    TokenMixin,
    grants,
)
from authlib.oauth2.rfc6749.errors import AccessDeniedError
from authlib.oauth2.rfc6750 import BearerTokenValidator
from authlib.oauth2.rfc7636 import CodeChallenge
from flask import Flask, jsonify, request
from werkzeug.serving import WSGIRequestHandler, make_server

CLIENT_ID, CLIENT_SECRET = "client-of-the-site", "secret-of-the-client"
SCOPES = "read write"


class Client(ClientMixin):
    """The one app that is registered."""

    def __init__(self, redirect_uri: str) -> None:
        self.redirect_uri = redirect_uri

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_default_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_allowed_scope(self, scope: str) -> str:
        return " ".join(word for word in scope.split() if word in SCOPES.split())

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == self.redirect_uri

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == CLIENT_SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in ("client_secret_post", "client_secret_basic")

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in ("authorization_code", "refresh_token")


class Code(AuthorizationCodeMixin):
    def __init__(self, **facts: Any) -> None:
        self.__dict__.update(facts)

    def get_redirect_uri(self) -> str:
        return str(self.redirect_uri)

    def get_scope(self) -> str:
        return str(self.scope)


class Token(TokenMixin):
    """An access token with its refresh token."""

    def __init__(self, **facts: Any) -> None:
        self.revoked, self.spent, self.issued_at = False, False, time.time()
        self.__dict__.update(facts)

    def check_client(self, client: Client) -> bool:
        return True

    def get_scope(self) -> str:
        return str(self.scope)

    def get_expires_in(self) -> int:
        return int(self.expires_in)

    def is_expired(self) -> bool:
        return self.issued_at + self.expires_in < time.time()

    def is_revoked(self) -> bool:
        return self.revoked

    def get_user(self) -> str:
        return str(self.user)

    def get_client(self) -> Client:
        raise NotImplementedError


class OAuthServer:
    """What the server knows; ``url`` is where it is."""

    def __init__(self) -> None:
        self.who, self.agrees, self.url = "ada", True, ""
        self.scope = SCOPES
        self.redirect_uri = ""
        self.codes: dict[str, Code] = {}
        self.tokens: list[Token] = []
        self.asked: list[dict[str, str]] = []  # the forms that came to the token endpoint

    def revoke(self, who: str) -> None:
        """Take the app's access to ``who`` away."""
        for token in self.tokens:
            token.revoked = token.revoked or token.user == who


@contextmanager
def oauth_server(redirect_uri: str) -> Iterator[OAuthServer]:
    """Serve until the block ends."""
    state = OAuthServer()
    state.redirect_uri = redirect_uri
    app = _app(state)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - the name is werkzeug's
        pass


def _app(state: OAuthServer) -> Flask:  # noqa: C901 - one small function after the other
    app = Flask("oauth-server")
    app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = True

    class CodeGrant(grants.AuthorizationCodeGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_post", "client_secret_basic"]

        def save_authorization_code(self, code: str, request: Any) -> None:
            payload = request.payload
            state.codes[code] = Code(
                code=code,
                redirect_uri=payload.redirect_uri,
                scope=state.scope,
                user=request.user,
                code_challenge=payload.data.get("code_challenge"),
                code_challenge_method=payload.data.get("code_challenge_method"),
            )

        def query_authorization_code(self, code: str, client: Client) -> Code | None:
            return state.codes.get(code)

        def delete_authorization_code(self, authorization_code: Code) -> None:
            del state.codes[authorization_code.code]

        def authenticate_user(self, authorization_code: Code) -> str:
            return str(authorization_code.user)

    class RefreshGrant(grants.RefreshTokenGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_post", "client_secret_basic"]
        INCLUDE_NEW_REFRESH_TOKEN = True

        def authenticate_refresh_token(self, refresh_token: str) -> Token | None:
            live = (each for each in state.tokens if each.refresh_token == refresh_token)
            return next((each for each in live if not each.spent and not each.revoked), None)

        def authenticate_user(self, refresh_token: Token) -> str:
            return str(refresh_token.user)

        def revoke_old_credential(self, refresh_token: Token) -> None:
            refresh_token.spent = True

    class Validator(BearerTokenValidator):
        def authenticate_token(self, token_string: str) -> Token | None:
            return next((each for each in state.tokens if each.access_token == token_string), None)

    def save_token(token: dict[str, Any], request: Any) -> None:
        state.tokens.append(Token(user=request.user, **token))

    server = AuthorizationServer(app, query_client=lambda _: Client(state.redirect_uri), save_token=save_token)
    server.register_grant(CodeGrant, [CodeChallenge(required=True)])
    server.register_grant(RefreshGrant)
    protect = ResourceProtector()
    protect.register_token_validator(Validator())

    @app.get("/authorize")
    def authorize() -> Any:
        try:
            grant = server.get_consent_grant(end_user=state.who)
        except OAuth2Error as error:
            return server.handle_response(*error())
        user = state.who if state.agrees else None
        if user is None:
            refused = AccessDeniedError(redirect_uri=request.args["redirect_uri"])
            refused.state = request.args.get("state")
            return server.handle_error_response(None, refused)
        return server.create_authorization_response(grant=grant, grant_user=user)

    @app.post("/token")
    def token() -> Any:
        state.asked.append(request.form.to_dict())
        return server.create_token_response()

    @app.get("/me")
    @protect()
    def me() -> Any:
        return jsonify(id=current_token.user, scope=current_token.scope)

    return app
