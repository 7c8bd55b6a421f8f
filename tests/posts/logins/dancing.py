"""A network whose logins are those of a real OAuth 2 server: everything of OAuth in it is the kit's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from posts.publishing import oauth
from posts.publishing.capabilities import Capabilities, ImageLimits, TextLimit
from posts.publishing.errors import ReconnectNeeded, TokenExpired
from posts.publishing.platform import Checkpoints, Platform, Session
from posts.publishing.types import Absent, Connection, Content, Finding, Identity, Json, Published

UNUSED = "https://network.invalid"


class Dancing(Platform):
    """``pages`` are what each login may post for beside itself."""

    name = "dancing"
    label = "Dancing"
    capabilities = Capabilities((TextLimit("graphemes", 100),), 0, ImageLimits(1, 1))
    oauth = oauth.OAuth(UNUSED, "/authorize", UNUSED, "/token", ("read", "write"))
    refreshes = True
    pages: tuple[str, ...] = ()

    def connections(self, session: Session, tokens: Json, answers: Mapping[str, str]) -> Sequence[Connection]:
        scopes = oauth.granted(tokens)
        oauth.require_scopes(self.oauth, scopes)
        who = self._who(session, tokens["access_token"])
        credentials = {name: tokens[name] for name in ("access_token", "refresh_token") if name in tokens}
        expires_at = oauth.expiry(tokens, session.now())
        return [
            Connection(Identity(each, each.title()), credentials, {}, expires_at, scopes=scopes)
            for each in (who, *self.pages)
        ]

    def refresh(self, session: Session) -> Connection:
        tokens = oauth.refreshed(session.http, self.oauth, session.app, session.credentials["refresh_token"])
        return self.connections(session, tokens, {})[0]

    def check(self, session: Session) -> Connection:
        who = self._who(session, session.credentials["access_token"])
        return Connection(Identity(who, who.title()), {})

    def prepare(self, session: Session, content: Content, checkpoints: Checkpoints) -> Json:
        return {"text": content.text}

    def commit(self, session: Session, snapshot: Json) -> Published:
        self._who(session, session.credentials["access_token"])
        return Published("1", "https://dancing.example/1")

    def find(self, session: Session, snapshot: Json, marked_at: datetime) -> Finding:
        return Absent()

    def _who(self, session: Session, token: str) -> str:
        headers = {"Authorization": f"Bearer {token}"}
        response = session.http.request("GET", session.app.api(UNUSED) + "/me", headers=headers)
        if response.status == 401:
            raise TokenExpired
        if response.status != 200:
            raise ReconnectNeeded
        answer: dict[str, Any] = response.json()
        return str(answer["id"])
