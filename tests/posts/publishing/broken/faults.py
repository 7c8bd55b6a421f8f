"""Postcard, broken in one place at a time: what people get wrong when they write a platform.

``FAULTS`` says of each which rules of the kit it breaks: the one that it is about first, then those that it cannot help
breaking as well.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from posts.publishing.errors import ContentRejected, OutcomeUnknown, PublishError, ReconnectNeeded, Temporary
from posts.publishing.http import Response
from posts.publishing.platform import Checkpoints, Session
from posts.publishing.types import (
    Absent,
    Body,
    Connection,
    Content,
    Finding,
    Found,
    Identity,
    Json,
    MediaFile,
    Option,
    Published,
)
from tests.posts.publishing.broken.postcard import TEXT, Postcard


class LosesEmoji(Postcard):
    """The text is sent as the oldest of alphabets."""

    def post(self, session: Session, snapshot: Json, body: Json) -> Response:
        return super().post(session, snapshot, body | {"text": body["text"].encode("ascii", "ignore").decode()})


class RetriesTheCommit(Postcard):
    """A post that was not answered is sent once more."""

    def post(self, session: Session, snapshot: Json, body: Json) -> Response:
        try:
            return super().post(session, snapshot, body)
        except OutcomeUnknown:
            super().post(session, snapshot, body)
            raise


class CallsATimeoutTemporary(Postcard):
    """No answer in time is taken for nothing having happened."""

    def post(self, session: Session, snapshot: Json, body: Json) -> Response:
        try:
            return super().post(session, snapshot, body)
        except OutcomeUnknown as error:
            if error.code != "no_answer_in_time":
                raise
        raise Temporary("no_answer_in_time")


class DoesNotSayThatTheCallIsIrreversible(Postcard):
    """The one call goes out like any other."""

    def call(self, session: Session, method: str, path: str, **how: Any) -> Response:
        return super().call(session, method, path, **how | {"irreversible": False})


class MakesAKeyForEachPreparation(Postcard):
    """The idempotency key is a new one whenever the post is prepared."""

    def key(self, content: Content) -> str:
        return uuid.uuid4().hex


class MakesAKeyForEachAttempt(Postcard):
    """The idempotency key is a new one whenever the post is sent."""

    def post(self, session: Session, snapshot: Json, body: Json) -> Response:
        return super().post(session, snapshot | {"key": uuid.uuid4().hex}, body)


class FindsTheNewestPost(Postcard):
    """Whatever is newest is taken for ours."""

    def find(self, session: Session, snapshot: Json, marked_at: datetime) -> Finding:
        cards = self.call(session, "GET", "/cards", token=True).json().get("cards")
        return Found(Published(str(cards[0]["id"]), "https://postcard.example")) if cards else Absent()


class FindsNothingWhereItCannotLook(Postcard):
    """A look-up that failed says that the post is not there."""

    def find(self, session: Session, snapshot: Json, marked_at: datetime) -> Finding:
        try:
            return super().find(session, snapshot, marked_at)
        except PublishError:
            return Absent()


class TakesAFaultForARefusal(Postcard):
    """A 500 is an answer about the text."""

    def refusal(self, session: Session, response: Response) -> PublishError:
        if response.status >= 500:
            return ContentRejected("postcard.refused", status_code=response.status)
        return super().refusal(session, response)


class BelievesUndocumentedRefusals(Postcard):
    """Every answer that is no success refuses the text."""

    def refusal(self, session: Session, response: Response) -> PublishError:
        error = super().refusal(session, response)
        return ContentRejected("postcard.refused") if error.code == "unexpected_answer" else error


class QuotesTheToken(Postcard):
    """The network's own words are kept as they are."""

    def detail(self, session: Session, response: Response) -> str:
        return str(response.json_or_empty().get("message", ""))


class PutsTheTokenIntoTheAddress(Postcard):
    """The token is a parameter."""

    def login(self, session: Session) -> dict[str, str]:
        return {}

    def call(self, session: Session, method: str, path: str, *, token: bool = False, **how: Any) -> Response:
        if token:
            how["params"] = {**(how.get("params") or {}), "token": session.credentials["access_token"]}
        return super().call(session, method, path, **how)


class PutsTheTokenIntoTheSnapshot(Postcard):
    """The snapshot has all that the commit needs, and the token too."""

    def prepare(self, session: Session, content: Content, checkpoints: Checkpoints) -> Json:
        return super().prepare(session, content, checkpoints) | {"token": session.credentials["access_token"]}


class StoresATicketAsItIs(Postcard):
    """What gives access to an upload lies open in a checkpoint."""

    def begin(self, session: Session, media: MediaFile) -> Json:
        return super().begin(replace(session, seal=str), media)

    def uploaded(self, session: Session, media: MediaFile, checkpoints: Checkpoints) -> str:
        return super().uploaded(replace(session, unseal=str), media, checkpoints)


class UploadsAgain(Postcard):
    """What was sent is not remembered."""

    def uploaded(self, session: Session, media: MediaFile, checkpoints: Checkpoints) -> str:
        checkpoints.forget(f"sent:{media.key}")
        return super().uploaded(session, media, checkpoints)


class FreezesATimeAsItIs(Postcard):
    """The snapshot holds what JSON does not know."""

    def prepare(self, session: Session, content: Content, checkpoints: Checkpoints) -> Json:
        return super().prepare(session, content, checkpoints) | {"at": session.now()}


class RemembersTheTextItself(Postcard):
    """What the commit needs is kept in the platform instead of the snapshot."""

    def prepare(self, session: Session, content: Content, checkpoints: Checkpoints) -> Json:
        self.text = content.text
        return super().prepare(session, content, checkpoints) | {"text": "?"}

    def post(self, session: Session, snapshot: Json, body: Json) -> Response:
        return super().post(session, snapshot, body | {"text": self.text})


class FollowsRedirects(Postcard):
    """Another address is called with the same login."""

    def refusal(self, session: Session, response: Response) -> PublishError:
        if "location" in response.headers:
            session.http.request("GET", response.headers["location"], headers=self.login(session))
        return super().refusal(session, response)

    def login(self, session: Session) -> dict[str, str]:
        return super().login(session) if "access_token" in session.credentials else {}


class UploadsWhereverItIsTold(Postcard):
    """The address in an answer is called, whoever's it is."""

    def begin(self, session: Session, media: MediaFile) -> Json:
        answer = self.call(session, "POST", "/uploads", token=True, json={"bytes": media.size_bytes}).json()
        session.http.hide(str(answer.get("ticket")))
        target = f"{answer.get('ticket')} {answer.get('address')}"
        return {"id": str(answer.get("id")), "target": session.seal(target)}

    def send(self, session: Session, ticket: str, piece: Body | bytes, offset: int) -> None:
        ticket, _, address = ticket.partition(" ")
        base = address.removesuffix("/pieces")
        super().send(replace(session, app=replace(session.app, api_base=base)), ticket, piece, offset)


class LosesTheRefreshToken(Postcard):
    """An answer without a refresh token puts nothing in place of the old one."""

    def renewal(self, answer: Json) -> Json:
        return {"refresh_token": str(answer.get("refresh_token"))}


class KeepsTheOldAccessToken(Postcard):
    """The new token is read and forgotten."""

    def refresh(self, session: Session) -> Connection:
        connection = super().refresh(session)
        return replace(connection, credentials=session.credentials)


class TakesADeadLoginForAFault(Postcard):
    """A login that cannot be refreshed any more is tried for ever."""

    def refresh(self, session: Session) -> Connection:
        try:
            return super().refresh(session)
        except ReconnectNeeded:
            pass
        raise Temporary("server_error")


class TakesAFaultForTheEndOfALogin(Postcard):
    """Whatever goes wrong while refreshing, the owner is asked to connect again."""

    def refresh(self, session: Session) -> Connection:
        try:
            return super().refresh(session)
        except PublishError:
            pass
        raise ReconnectNeeded("postcard.wrong_secret")


class AsksInALoop(Postcard):
    """A file is looked at until it is processed."""

    def require_processed(self, session: Session, ids: list[str]) -> None:
        for _ in range(5):
            try:
                return super().require_processed(session, ids)
            except PublishError as error:
                last = error
        raise last


class Sleeps(Postcard):
    """A file is given a moment."""

    def require_processed(self, session: Session, ids: list[str]) -> None:
        if ids:
            time.sleep(0)
        super().require_processed(session, ids)


class IgnoresRetryAfter(Postcard):
    """A limit always lasts a minute."""

    def until(self, session: Session, wait: float | None) -> datetime:
        return session.now() + timedelta(minutes=1)


class PublishesWhilePreparing(Postcard):
    """The post is made public before the mark; its key hides that from the commit."""

    def prepare(self, session: Session, content: Content, checkpoints: Checkpoints) -> Json:
        snapshot = super().prepare(session, content, checkpoints)
        super().commit(session, snapshot)
        return snapshot


class ReadsTheWholeFile(Postcard):
    """A piece is cut from the whole file."""

    def piece(self, media: MediaFile, offset: int, size: int) -> bytes:
        return media.read()[offset : offset + size]


class SwallowsALoginThatEnded(Postcard):
    """A 401 is a fault that passes."""

    def refusal(self, session: Session, response: Response) -> PublishError:
        if response.json_or_empty().get("error") == "token_over":
            return Temporary("server_error", status_code=401)
        return super().refusal(session, response)


class TakesTheEnteredNameForTheIdentity(Postcard):
    """Who it is, is what was typed."""

    def identity(self, answer: Json, entered: str) -> Identity:
        return Identity(entered, entered) if entered else super().identity(answer, entered)


class AnswersTheFirstPart(Postcard):
    """Every part of a thread is below the first."""

    def parent(self, session: Session) -> str:
        return session.thread[0].id if session.thread else ""


class ReadsAnAnswerBlindly(Postcard):
    """An answer to a post has what it should have."""

    def published(self, response: Response) -> Published:
        answer = response.json()
        return Published(answer["id"], answer["url"], {"id": answer["id"]})


class ReadsALoginBlindly(Postcard):
    """An answer to a login has what it should have."""

    def connection(self, session: Session, response: Response, entered: str) -> Connection:
        answer = response.json()
        tokens = {"access_token": answer["access_token"], "refresh_token": answer["refresh_token"]}
        return Connection(Identity(answer["id"], answer["name"]), tokens)


class RaisesACodeWithoutWords(Postcard):
    """A wrong secret has a code that nobody can read; it is put together, so that the others' source has none."""

    unreadable = f"{Postcard.name}.e17"

    def refusal(self, session: Session, response: Response) -> PublishError:
        error = super().refusal(session, response)
        return ReconnectNeeded(self.unreadable) if error.code == "postcard.wrong_secret" else error


class HasHalfASentence(Postcard):
    """Words are code."""

    words = {**Postcard.words, "postcard.refused": Postcard.words["postcard.refused"]._replace(sentence="refused")}


class HasADefaultThatIsNoChoice(Postcard):
    """The default of a choice cannot be chosen."""

    options = (Option("audience", "Who sees it", "choice", (("all", "Everybody"),), default="public"),)


class AllowsTooMuch(Postcard):
    """The limit is said to be higher than it is."""

    capabilities = replace(Postcard.capabilities, text=(replace(TEXT[0], unit="code_points"),))


FAULTS: Mapping[type[Postcard], tuple[str, ...]] = {
    LosesEmoji: ("publishing",),
    RetriesTheCommit: ("once", "unknown", "find"),
    CallsATimeoutTemporary: ("unknown",),
    DoesNotSayThatTheCallIsIrreversible: ("unknown",),
    MakesAKeyForEachPreparation: ("repeat",),
    MakesAKeyForEachAttempt: ("repeat", "find"),
    FindsTheNewestPost: ("find",),
    FindsNothingWhereItCannotLook: ("find",),
    TakesAFaultForARefusal: ("unknown", "errors", "refresh"),
    BelievesUndocumentedRefusals: ("unknown", "hosts"),
    QuotesTheToken: ("secrets",),
    PutsTheTokenIntoTheAddress: ("address",),
    PutsTheTokenIntoTheSnapshot: ("secrets",),
    StoresATicketAsItIs: ("secrets",),
    UploadsAgain: ("resume",),
    FreezesATimeAsItIs: ("snapshot",),
    RemembersTheTextItself: ("snapshot", "threads"),
    FollowsRedirects: ("hosts",),
    UploadsWhereverItIsTold: ("hosts",),
    LosesTheRefreshToken: ("refresh",),
    KeepsTheOldAccessToken: ("refresh",),
    TakesADeadLoginForAFault: ("refresh",),
    TakesAFaultForTheEndOfALogin: ("refresh",),
    AsksInALoop: ("waiting",),
    Sleeps: ("waiting",),
    IgnoresRetryAfter: ("limits",),
    PublishesWhilePreparing: ("prepare", "errors", "find", "login"),
    ReadsTheWholeFile: ("pieces",),
    SwallowsALoginThatEnded: ("login",),
    TakesTheEnteredNameForTheIdentity: ("identity", "refresh"),
    AnswersTheFirstPart: ("threads",),
    ReadsAnAnswerBlindly: ("unknown",),
    ReadsALoginBlindly: ("errors", "secrets", "refresh"),
    RaisesACodeWithoutWords: ("errors", "login", "unknown"),
    HasHalfASentence: ("words",),
    HasADefaultThatIsNoChoice: ("data",),
    AllowsTooMuch: ("limits",),
}
