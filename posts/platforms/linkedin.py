"""LinkedIn: posts of members and of organisations, through the versioned Posts API.

There is no idempotency key. LinkedIn refuses the same text of the same author for a while and names the live post,
which is taken for ours only where this very post was sent before. What an organisation posts can be read back, what a
member posts cannot. https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/posts-api
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from posts.platforms._linkedin_api import DEFAULT_API, LIVE_URN, call, duplicate_of, of_urn, read, refusal
from posts.platforms._linkedin_authors import (
    MEMBER_SCOPE,
    ORGANIZATION,
    USERINFO,
    authors,
    member,
    organization_name,
    organizations,
)
from posts.platforms._linkedin_media import uploaded
from posts.platforms._linkedin_post import OPTIONS, VISIBILITY, media_urns, notes_of, post_body, problems_of
from posts.platforms._linkedin_text import plain_text, seen_text
from posts.platforms._linkedin_words import WORDS
from posts.publishing import oauth as logins
from posts.publishing.capabilities import Capabilities, DocumentLimits, ImageLimits, TextLimit, VideoLimits, Window
from posts.publishing.errors import ContentRejected, ReconnectNeeded
from posts.publishing.http import Response
from posts.publishing.platform import Checkpoints, Platform, Session
from posts.publishing.types import (
    Absent,
    CannotTell,
    Config,
    Connection,
    Content,
    Draft,
    Field,
    Finding,
    Found,
    Identity,
    Json,
    Option,
    Published,
    Remark,
)

SITE = "https://www.linkedin.com"
POSTS_LISTED, COMMENTS_LISTED = 50, 100
TOKEN_LIFE = timedelta(days=60)  # where the answer does not say
RENEWABLE_LIFE = timedelta(days=365)
CLOCK_SKEW = timedelta(seconds=5)

DOCUMENT_TYPES = (
    "application/pdf",
    "application/msword",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.ms-powerpoint",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
)


class LinkedIn(Platform):
    """Publishes as a member, or as an organisation that the member may post for."""

    name = "linkedin"
    label = "LinkedIn"
    api_server = DEFAULT_API
    capabilities = Capabilities(
        text=(TextLimit("code_points", 3000),),  # of what people see: escapes do not count
        max_images=20,
        images=ImageLimits(max_bytes=8_000_000, max_side_pixels=10_000, max_pixels=36_152_319),
        alt_text=(TextLimit("code_points", 4086),),
        max_videos=1,
        videos=VideoLimits(max_bytes=500_000_000, max_seconds=1800, min_seconds=3, min_aspect=1 / 2.4, max_aspect=2.4),
        gifs=VideoLimits(max_bytes=8_000_000, formats=("image/gif",), max_pixels=36_152_319),
        max_documents=1,
        documents=DocumentLimits(max_bytes=100_000_000, formats=DOCUMENT_TYPES),
        comment=(TextLimit("code_points", 1250),),
        marks=("link", "hashtag"),
    )
    options = (VISIBILITY, *OPTIONS)
    app_settings = (
        Field("api_version", "API version", required=False, help="YYYYMM; LinkedIn ends each after about a year."),
        Field(
            "scopes",
            "Scopes",
            required=False,
            help="With spaces between; for organisations w_organization_social, r_organization_social and "
            "rw_organization_admin, if your app has the Community Management API.",
        ),
    )
    oauth = logins.OAuth(
        auth_base=SITE,
        authorize_path="/oauth/v2/authorization",
        token_base=SITE,
        token_path="/oauth/v2/accessToken",  # noqa: S106 - a path
        scopes=("openid", "profile", MEMBER_SCOPE),
        pkce=False,
        refusals={
            "invalid_request": "oauth.grant_refused",  # LinkedIn's name for a code or token that is over
            "invalid_client_id": "oauth.client_refused",
            "invalid_redirect_uri": "oauth.client_refused",
            "unauthorized_scope_error": "oauth.scope_refused",
        },
    )
    setup = (
        "Create an app at linkedin.com/developers and add the products “Share on LinkedIn” and “Sign In with LinkedIn "
        "using OpenID Connect”. Posting for organisations needs the Community Management API, in an app of its own."
    )
    # What the product's own page promised, in requests; a post with files takes several.
    windows = (Window(150, 86_400), Window(100_000, 86_400, "app"))
    words = WORDS
    settle_seconds = 600  # organisations: the list shows a post in seconds, and a repeat meets the duplicate check
    refreshes = True

    def options_for(self, config: Config) -> tuple[Option, ...]:
        """Return the options; organisations always post to everybody."""
        return OPTIONS if config.get("kind") == ORGANIZATION else self.options

    def problems(self, draft: Draft, config: Config) -> Sequence[Remark]:
        """Return what of a draft does not go together."""
        return list(problems_of(draft))

    def notes(self, draft: Draft, config: Config) -> Sequence[Remark]:
        """Return what a person may not expect of LinkedIn."""
        return list(notes_of(draft))

    # Connecting

    def authorize(
        self, session: Session, answers: Mapping[str, str], callback: logins.Callback, known: Json
    ) -> logins.Authorization:
        """Return where the person logs in, asking for the scopes that this site's app has."""
        scopes = tuple(session.app.settings.get("scopes", "").split()) or self.oauth.scopes
        return logins.authorization(replace(self.oauth, scopes=scopes), session.app, callback)

    def connections(self, session: Session, tokens: Json, answers: Mapping[str, str]) -> Sequence[Connection]:
        """Return the member, and each organisation that the member may post for."""
        now, scopes = session.now(), logins.granted(tokens)
        access, renewal = tokens.get("access_token"), tokens.get("refresh_token")
        if not isinstance(access, str) or not access:
            raise ReconnectNeeded("oauth.grant_refused")
        credentials = {"access_token": access}
        if isinstance(renewal, str) and renewal:
            credentials["refresh_token"] = renewal
        session.http.hide(*credentials.values())
        issued = {"issued_at": now.isoformat()} if tokens.get("expires_in") else {}  # else it may be an old one
        session = replace(session, credentials=credentials, config=issued)
        expires_at = logins.expiry(tokens, now) or now + TOKEN_LIFE
        renewable = logins.expiry(tokens, now, "refresh_token_expires_in") or now + RENEWABLE_LIFE
        found = [
            Connection(identity, credentials, issued | config, expires_at, renewable if renewal else expires_at, scopes)
            for identity, config in authors(session, scopes)
        ]
        if not found:
            raise ReconnectNeeded("oauth.nothing_to_connect")
        return found

    def refresh(self, session: Session) -> Connection:
        """Trade the refresh token; only approved partners' apps have one. Its own end is not moved by use."""
        renewal, now = session.credentials.get("refresh_token"), session.now()
        if not renewal:
            raise ReconnectNeeded("linkedin.login_over")
        answer = logins.refreshed(session.http, self.oauth, session.app, renewal)
        given = answer.get("refresh_token")
        return Connection(
            Identity(session.config["author"], session.config["name"]),
            {"access_token": answer["access_token"], **({"refresh_token": given} if given else {})},
            {"issued_at": now.isoformat()},
            expires_at=logins.expiry(answer, now) or now + TOKEN_LIFE,
            renewable_until=logins.expiry(answer, now, "refresh_token_expires_in"),
            scopes=logins.granted(answer),
        )

    def check(self, session: Session) -> Connection:
        """Ask who the login belongs to; of an organisation, whether the member may still post for it."""
        author = session.config["author"]
        if session.config["kind"] == ORGANIZATION:
            if author not in organizations(session):
                raise ReconnectNeeded("linkedin.no_role")
            identity = Identity(author, organization_name(session, author))
        else:
            identity = member(session, session.config.get("profile", USERINFO))
        return Connection(identity, {}, {"name": identity.name})

    # Publishing

    def prepare(self, session: Session, content: Content, checkpoints: Checkpoints) -> Json:
        """Upload the files, wait until LinkedIn can show them, and freeze the post."""
        if content.kind == "comment":
            return {"kind": "comment", "text": seen_text(content.text)}
        if not content.text.strip() and not content.media:
            raise ContentRejected("post_empty", field="text")
        urns = uploaded(session, content.media, checkpoints)
        return {"kind": "post", "body": post_body(session.config["author"], content, urns)}

    def commit(self, session: Session, snapshot: Json) -> Published:
        """Create the post, or the comment below it. The id stands in a header only; the body is empty."""
        if snapshot["kind"] == "comment":
            return self._comment(session, snapshot)
        response = call(session, "POST", "/rest/posts", irreversible=True, json=snapshot["body"])
        duplicate = duplicate_of(response)
        if duplicate is not None:
            if duplicate and session.sent_before:
                return _published(duplicate)
            raise _duplicate(session, response, duplicate)
        if response.status != 201:
            raise refusal(session, response)
        urn = response.headers.get("x-restli-id", "")
        if not LIVE_URN.fullmatch(urn):
            raise response.unusable("linkedin.id_missing")
        return _published(urn)

    def find(self, session: Session, snapshot: Json, marked_at: datetime) -> Finding:
        """Look through what the organisation has posted lately; what members post cannot be read."""
        if session.config.get("kind") != ORGANIZATION:
            return CannotTell("no_read_back")
        since = marked_at - CLOCK_SKEW
        if snapshot["kind"] == "comment":
            return self._find_comment(session, snapshot, since)
        asked = {
            "author": session.config["author"],
            "q": "author",
            "count": str(POSTS_LISTED),
            "sortBy": "LAST_MODIFIED",
        }
        recent = [post for post in _listed(session, "/rest/posts", asked) if _at(post.get("createdAt")) >= since]
        matches = [post for post in recent if _is_same(post, snapshot["body"])]
        if len(matches) == 1 and LIVE_URN.fullmatch(str(matches[0].get("id"))):
            return Found(_published(str(matches[0]["id"])))
        if matches or len(recent) >= POSTS_LISTED:
            return CannotTell("linkedin.cannot_tell_apart")
        return Absent()

    def _comment(self, session: Session, snapshot: Json) -> Published:
        post = session.thread[0]
        body = {"actor": session.config["author"], "object": post.id, "message": {"text": snapshot["text"]}}
        path = of_urn("/rest/socialActions", post.id) + "/comments"
        response = call(session, "POST", path, irreversible=True, json=body)
        if duplicate_of(response) is not None:
            raise _duplicate(session, response, "")
        if response.status == 404:
            raise ContentRejected("linkedin.post_gone", status_code=404)
        if response.status != 201:
            raise refusal(session, response)
        number = response.headers.get("x-restli-id") or response.json().get("id")
        if not isinstance(number, str | int) or not number:
            raise response.unusable("linkedin.id_missing")
        return _published_comment(post, str(number))

    def _find_comment(self, session: Session, snapshot: Json, since: datetime) -> Finding:
        path = of_urn("/rest/socialActions", session.thread[0].id) + "/comments"
        recent = [
            comment
            for comment in _listed(session, path, {"count": str(COMMENTS_LISTED)}, finder=False)
            if comment.get("actor") == session.config["author"] and _at(_part(comment, "created").get("time")) >= since
        ]
        matches = [comment for comment in recent if _part(comment, "message").get("text") == snapshot["text"]]
        if len(matches) == 1 and matches[0].get("id"):
            return Found(_published_comment(session.thread[0], str(matches[0]["id"])))
        return CannotTell("linkedin.cannot_tell_apart") if matches else Absent()


PLATFORM = LinkedIn()


def _duplicate(session: Session, response: Response, urn: str) -> ContentRejected:
    detail = session.http.redact(str(response.json_or_empty().get("message", "")))
    named = urn or "LinkedIn does not say where"
    return ContentRejected("linkedin.duplicate", field="text", detail=detail, status_code=response.status, urn=named)


def _published(urn: str) -> Published:
    return Published(urn, f"{SITE}/feed/update/{urn}/", {"urn": urn})


def _published_comment(post: Published, number: str) -> Published:
    urn = f"urn:li:comment:({post.id},{number})"
    return Published(number, f"{SITE}/feed/update/{post.id}/?commentUrn={quote(urn, safe='')}", {"urn": urn})


def _listed(session: Session, path: str, asked: Mapping[str, str], *, finder: bool = True) -> list[Json]:
    elements = read(session, path, finder=finder, params=asked).get("elements")
    return [each for each in elements if isinstance(each, dict)] if isinstance(elements, list) else []


def _is_same(post: Json, body: Json) -> bool:
    """Return whether a listed post is the one that was sent: by its files, which are ours alone, else by its text."""
    if post.get("lifecycleState", "PUBLISHED") != "PUBLISHED":
        return False
    files = media_urns(body)
    if files:
        return media_urns(post) == files
    commentary = str(post.get("commentary") or "")
    return plain_text(commentary) == plain_text(body.get("commentary", ""))


def _at(milliseconds: object) -> datetime:
    """Return a moment of LinkedIn's; one that cannot be read lies in the past, where no post of ours is."""
    usable = isinstance(milliseconds, int) and 0 < milliseconds < 1 << 43
    return datetime.fromtimestamp(milliseconds / 1000 if usable else 0, UTC)  # type: ignore[operator]  # it is an int


def _part(value: Json, name: str) -> Json:
    part = value.get(name)
    return part if isinstance(part, dict) else {}
