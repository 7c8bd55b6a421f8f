"""Whom a LinkedIn login may post for: the member, and the organisations where that member has a role."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from posts.platforms._linkedin_api import read
from posts.publishing.errors import ReconnectNeeded, Temporary, TokenExpired
from posts.publishing.platform import Session
from posts.publishing.types import Identity, Json

MEMBER, ORGANIZATION = "member", "organization"
MEMBER_SCOPE, ORGANIZATION_SCOPE = "w_member_social", "w_organization_social"
USERINFO, ME = "/v2/userinfo", "/v2/me"  # the second is for apps without OpenID
POSTING_ROLES = ("ADMINISTRATOR", "CONTENT_ADMINISTRATOR")
ORGANIZATION_URN = re.compile(r"urn:li:organization:([0-9]+)")
ROLES_PER_PAGE, ROLE_PAGES_MOST = 100, 20
NEW_LOGIN_WAIT_SECONDS = 5.0  # a person waits for the page meanwhile; logging in again would only make a newer token

T = TypeVar("T")


def authors(session: Session, scopes: tuple[str, ...]) -> Iterator[tuple[Identity, Json]]:
    """Yield (identity, config) of the member and of each organisation, as far as the scopes go.

    Where the scopes are not known, LinkedIn's refusals say what the login may not.
    """
    profile = ME if "openid" not in scopes and "r_basicprofile" in scopes else USERINFO
    if not scopes or MEMBER_SCOPE in scopes:
        identity = _if_allowed(lambda: member(session, profile))
        if identity is not None:
            yield identity, {"kind": MEMBER, "author": identity.id, "name": identity.name, "profile": profile}
    if not scopes or ORGANIZATION_SCOPE in scopes:
        for urn in _if_allowed(lambda: organizations(session)) or ():
            identity = Identity(urn, organization_name(session, urn))
            yield identity, {"kind": ORGANIZATION, "author": urn, "name": identity.name}


def member(session: Session, profile: str) -> Identity:
    """Return the member of the login; the id is that of this app, another app sees another one."""
    answer = read(session, profile)
    number = answer.get("sub") or answer.get("id")
    if not isinstance(number, str) or not number:
        raise Temporary("bad_answer", host="LinkedIn")
    parts = (answer.get("localizedFirstName"), answer.get("localizedLastName"))
    name = answer.get("name") or " ".join(part for part in parts if isinstance(part, str))
    return Identity(f"urn:li:person:{number}", str(name or number))


def organizations(session: Session) -> list[str]:
    """Return the URNs of the organisations that the member may post for, each once."""
    found: dict[str, None] = {}
    for page in range(ROLE_PAGES_MOST):
        asked = {"q": "roleAssignee", "state": "APPROVED", "start": str(page * ROLES_PER_PAGE)}
        answer = read(session, "/rest/organizationAcls", finder=True, params={**asked, "count": str(ROLES_PER_PAGE)})
        given = answer.get("elements")
        roles = [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []
        for each in roles:
            urn = str(each.get("organization", ""))
            if ORGANIZATION_URN.fullmatch(urn) and each.get("role") in POSTING_ROLES:
                found[urn] = None
        if len(roles) < ROLES_PER_PAGE:
            break
    return list(found)


def organization_name(session: Session, urn: str) -> str:
    """Return what people call an organisation; its number where the login may not ask."""
    number = urn.rpartition(":")[2]
    try:
        answer = read(session, f"/rest/organizations/{number}")
    except ReconnectNeeded:
        answer = {}
    return str(answer.get("localizedName") or answer.get("vanityName") or f"LinkedIn page {number}")


def _if_allowed(ask: Callable[[], T]) -> T | None:
    """Return what ``ask`` returns, ``None`` where the login lacks the right. A dead login is refused."""
    try:
        return _patiently(ask)
    except TokenExpired as over:
        failure = ReconnectNeeded("oauth.grant_refused", detail=over.detail, status_code=over.status_code)
    except ReconnectNeeded:
        return None
    raise failure


def _patiently(ask: Callable[[], T]) -> T:
    """Ask once more where LinkedIn does not know yet the token that it has only just issued."""
    try:
        return ask()
    except Temporary as error:
        if error.code != "linkedin.login_too_new":
            raise
    time.sleep(NEW_LOGIN_WAIT_SECONDS)
    return ask()
