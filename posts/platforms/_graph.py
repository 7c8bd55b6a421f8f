"""What networks that speak Meta's Graph API share: calls, usage headers, errors, lists and long-lived tokens.

A platform has one ``Graph`` with the rows that are its own. The token goes in a header; only the endpoints that trade
tokens take it in the address, since nothing else is documented for them.
https://developers.facebook.com/docs/graph-api/guides/error-handling and …/overview/rate-limiting
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from posts.platforms._graph_rows import LOGIN_ROWS, Row, Rows, Throttle, shared_rows
from posts.publishing.errors import (
    ContentRejected,
    PublishError,
    RateLimited,
    ReconnectNeeded,
    Scope,
    TokenExpired,
)
from posts.publishing.http import Response
from posts.publishing.platform import Session
from posts.publishing.types import Json

BEARER = "Bearer"
USED_UP_PERCENT = 95  # calls are throttled at 100, and calling then lengthens the block
THROTTLED_SECONDS = 600  # assumed where an answer names no time; Graph's windows slide
LONGEST_PAGES = 20
REFRESHABLE_AFTER = timedelta(hours=24)

# Which header speaks of whom. Values are percents; the business one is keyed by Page, account or business.
BUSINESS_USAGE = "x-business-use-case-usage"
USAGE_HEADERS: Mapping[str, Scope] = {"x-app-usage": "app", "x-page-usage": "account", BUSINESS_USAGE: "account"}
PERCENTS = ("call_count", "total_cputime", "total_time")


class Usage(NamedTuple):
    """How much of a limit is used, and in how many minutes it opens again; 0 where nothing is blocked or told."""

    percent: float
    minutes: float
    scope: Scope


@dataclass(frozen=True, slots=True)
class Fault:
    """The ``error`` of an answer. ``subcode`` is 0 where there is none."""

    code: int
    subcode: int
    transient: bool
    message: str


@dataclass(frozen=True, slots=True)
class Graph:
    """One network that speaks Graph: where it is, and what its refusals mean.

    ``host`` is moved by the site's settings, ``version`` begins every path. ``rows`` are the network's own and go
    before the shared ones. ``refreshes`` says that an access token that is over can be renewed, ``app_limits`` whose
    calls the app's usage header counts.
    """

    platform: str
    host: str
    version: str
    rows: Rows = field(default_factory=dict)
    refreshes: bool = False
    app_limits: Scope = "app"

    def url(self, session: Session, path: str, *, versioned: bool = True) -> str:
        """Return the address of ``path`` (without slash in front)."""
        version = f"/{self.version}" if versioned else ""
        return f"{session.app.api(self.host)}{version}/{path}"

    def get(self, session: Session, path: str, params: Mapping[str, str] | None = None, **how: Any) -> Response:
        """Read; see ``call``."""
        return self.call(session, "GET", path, params=params, **how)

    def post(self, session: Session, path: str, data: Mapping[str, str] | None = None, **how: Any) -> Response:
        """Send a form; see ``call``."""
        return self.call(session, "POST", path, data=data, **how)

    def call(
        self,
        session: Session,
        method: str,
        path: str,
        *,
        token: str = "",
        scheme: str = BEARER,
        connecting: bool = False,
        headers: Mapping[str, str] | None = None,
        rows: Rows | None = None,
        url: str = "",
        **request: Any,
    ) -> Response:
        """Send one request and return its answer with status 200, else raise what it says.

        ``token`` replaces the account's, ``rows`` go before the network's own, ``url`` replaces the address (upload
        hosts), ``scheme`` is ``OAuth`` for those. ``connecting``: a person waits, so a token that is over is refused.
        ``request`` is what ``Http.request`` takes besides.
        """
        token = token or str(session.credentials["access_token"])
        sent = {"Authorization": f"{scheme} {token}", **(headers or {})}
        response = session.http.request(method, url or self.url(session, path), headers=sent, **request)
        if response.status != 200:
            raise self.refusal(session, response, rows=rows, connecting=connecting)
        self._tell_usage(session, response)
        return response

    def items(
        self, session: Session, path: str, params: Mapping[str, str], *, max_pages: int = LONGEST_PAGES, **how: Any
    ) -> Iterator[Json]:
        """Yield the objects of a list, page by page. The next page is asked by cursor: its address has the token."""
        asked = dict(params)
        for _page in range(max_pages):
            answer = self.get(session, path, asked, **how).json()
            data = answer.get("data")
            yield from (item for item in data if isinstance(item, dict)) if isinstance(data, list) else ()
            paging = answer.get("paging")
            cursors = paging.get("cursors") if isinstance(paging, dict) and paging.get("next") else None
            after = cursors.get("after") if isinstance(cursors, dict) else None
            if not isinstance(after, str) or not after:
                return
            asked["after"] = after

    def refusal(
        self, session: Session, response: Response, *, rows: Rows | None = None, connecting: bool = False
    ) -> PublishError:
        """Sort an answer that is no success: by subcode, by code, else by status."""
        fault = fault_of(response)
        detail = session.http.redact(fault.message) if fault else ""
        if response.status >= 500 or response.status == 408:
            wait = response.retry_after_seconds(session.now())
            return response.unusable("server_error", detail=detail, retry_after_seconds=wait)
        row = self.row(fault, rows or {}) if fault else None
        if row is None and response.status == 429:
            row = Throttle()
        if row is None and response.status == 401:
            row = partial(TokenExpired, "token_expired")
        error = self.meaning(session, row, response, detail)
        if isinstance(error, TokenExpired) and (connecting or not self.refreshes):
            return ReconnectNeeded("oauth.grant_refused", detail=error.detail, status_code=error.status_code)
        return error

    def row(self, fault: Fault, rows: Rows) -> Row | None:
        """Return the row of the tables that ``fault`` has, the most exact first."""
        tables = (rows, self.rows, shared_rows(self.platform))
        exact = ((fault.code, fault.subcode), (None, fault.subcode)) if fault.subcode else ()
        for key in exact:
            for table in tables:
                if key in table:
                    return table[key]
        row = next((table[fault.code, None] for table in tables if (fault.code, None) in table), None)
        return "server_error" if fault.transient and not isinstance(row, Throttle) else row

    def meaning(self, session: Session, row: Row | None, response: Response, detail: str) -> PublishError:
        """Return the error that ``row`` stands for. A row that is only a code, and no row at all, explain nothing: the
        answer may pass, and after an irreversible call nobody knows."""
        if row is None or isinstance(row, str):
            return response.unusable(row or "unexpected_answer", detail=detail)
        if not isinstance(row, Throttle):
            return row(detail=detail, status_code=response.status)
        wait = response.retry_after_seconds(session.now())
        told = max((usage.minutes for usage in usages(response.headers)), default=0.0) * 60
        seconds = max(1.0, wait) if wait is not None else told or row.seconds
        return RateLimited(
            row.code,
            until=session.now() + timedelta(seconds=seconds),
            scope=row.scope,
            tell=row.tell,
            detail=detail,
            status_code=response.status,
        )

    def _tell_usage(self, session: Session, response: Response) -> None:
        """Tell the kit where a success says that a limit is as good as used up."""
        for usage in usages(response.headers):
            if usage.percent >= USED_UP_PERCENT or usage.minutes > 0:
                until = session.now() + timedelta(seconds=usage.minutes * 60 or THROTTLED_SECONDS)
                session.exhausted(until, self.app_limits if usage.scope == "app" else usage.scope)

    # Tokens

    def long_token(self, session: Session, path: str, params: Mapping[str, str], *, versioned: bool = False) -> Json:
        """Trade a token at an endpoint that documents query parameters only; return the answer with the new one.

        ``params`` have the grant, the token and whatever the endpoint asks. Raises ReconnectNeeded if refused.
        """
        session.http.hide(*(value for name, value in params.items() if name not in ("grant_type", "client_id")))
        response = session.http.request("GET", self.url(session, path, versioned=versioned), params=params)
        return self.token_answer(session, response)

    def renewed(self, session: Session, grant: str) -> Json:
        """Trade a token that is at least a day old and not over for one of 60 days; return the answer."""
        asked = {"grant_type": grant, "access_token": str(session.credentials["access_token"])}
        return self.long_token(session, "refresh_access_token", asked)

    def token_answer(self, session: Session, response: Response) -> Json:
        """Return a token endpoint's answer if it has an ``access_token``, else raise what it says."""
        answer = only(response.json_or_empty())
        token = answer.get("access_token")
        if response.status == 200 and isinstance(token, str) and token:
            session.http.hide(token)
            return answer
        if response.status == 200:
            raise response.unusable("bad_answer")
        error = self.refusal(session, response, rows=LOGIN_ROWS, connecting=True)
        if isinstance(error, ContentRejected):  # an invalid parameter here is an invalid login
            error = ReconnectNeeded("oauth.grant_refused", detail=error.detail, status_code=error.status_code)
        raise error


def fault_of(response: Response) -> Fault | None:
    """Return the ``error`` of an answer, ``None`` if it has none that can be read.

    The older token endpoints answer flat: ``error_type``, ``code`` and ``error_message``.
    """
    answer = response.json_or_empty()
    error = answer.get("error")
    if not isinstance(error, dict):
        error = answer if "error_type" in answer else None
    if error is None or not isinstance(error.get("code"), int):
        return None
    subcode = error.get("error_subcode")
    message = error.get("error_user_msg") or error.get("message") or error.get("error_message") or ""
    return Fault(
        code=error["code"],
        subcode=subcode if isinstance(subcode, int) else 0,
        transient=error.get("is_transient") is True,
        message=str(message),
    )


def only(answer: Json) -> Json:
    """Return the one object of an answer that may be wrapped as ``{"data": [{…}]}``: both forms are documented."""
    data = answer.get("data")
    return data[0] if isinstance(data, list) and len(data) == 1 and isinstance(data[0], dict) else answer


def too_young(session: Session) -> bool:
    """Return whether the token is so young that it cannot be renewed; ``token_since`` of the config is its birth."""
    try:
        since = datetime.fromisoformat(str(session.config.get("token_since", "")))
    except ValueError:
        return False
    return session.now() - since < REFRESHABLE_AFTER


def created_id(response: Response) -> str:
    """Return the ``id`` of an answer; one without is ``bad_answer``, after an irreversible call an unknown outcome."""
    made = response.json().get("id")
    if isinstance(made, bool) or not isinstance(made, str | int) or not str(made):
        raise response.unusable("bad_answer")
    return str(made)


def usages(headers: Mapping[str, str]) -> Iterator[Usage]:
    """Yield what the usage headers of an answer say; one that cannot be read says nothing."""
    for name, scope in USAGE_HEADERS.items():
        try:
            told = json.loads(headers.get(name, "{}"))
        except (ValueError, RecursionError):
            continue
        if not isinstance(told, dict) or not told:
            continue
        lists = [entry for entry in told.values() if isinstance(entry, list)] if name == BUSINESS_USAGE else [[told]]
        for entry in (each for entries in lists for each in entries if isinstance(each, dict)):
            percent = max(_number(entry.get(measure)) for measure in PERCENTS)
            yield Usage(percent, _number(entry.get("estimated_time_to_regain_access")), scope)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and value > 0 else 0.0
