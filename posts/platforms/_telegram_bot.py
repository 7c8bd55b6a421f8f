"""Calls to the Bot API, and the one place where its refusals are sorted.

A refusal is told by status and by how its description begins; descriptions are not stable, so what is not in these
tables stays unexplained. Texts: github.com/tdlib/telegram-bot-api, Client.cpp
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import NamedTuple

from posts.publishing.errors import ContentRejected, PublishError, RateLimited, ReconnectNeeded, Temporary
from posts.publishing.http import Files, Response
from posts.publishing.platform import Session
from posts.publishing.types import Json

CLASS_PREFIX = re.compile(r"(?:Bad Request|Forbidden|Unauthorized|Not Found): ")
RETRY_AFTER_SECONDS = 60  # assumed where a 429 names no time; the server's own overload answers this
RETRY_AFTER_LONGEST_SECONDS = 86_400


class Texts(NamedTuple):
    """How descriptions of one case begin, after "Bad Request: " or "Forbidden: ", in lower case."""

    code: str
    beginnings: tuple[str, ...]
    field: str = ""
    before_upload: bool = False  # answered before any item of an album was sent


ACCESS_TEXTS = (
    Texts("telegram.kicked", ("bot was kicked from the ",)),
    Texts("telegram.not_a_member", ("bot is not a member of the ",)),
    Texts("telegram.blocked", ("bot was blocked by the user", "bot can't initiate conversation with a user")),
    Texts("telegram.chat_gone", ("the group chat was deleted", "user is deactivated")),
    Texts("telegram.chat_not_found", ("chat not found",), before_upload=True),
    Texts("telegram.topic_gone", ("message thread not found", "topic_closed", "topic_deleted")),
    Texts(
        "telegram.no_right_to_post",
        (
            "not enough rights to send",
            "need administrator rights in the channel chat",
            "have no rights to send a message",
            "chat_write_forbidden",
        ),
    ),
)
CONTENT_TEXTS = (
    Texts("telegram.text_refused", ("message is too long", "text is too long"), "text", before_upload=True),
    Texts("telegram.text_refused", ("message caption is too long",), "text", before_upload=True),
    Texts("telegram.text_refused", ("message text is empty", "can't parse entities"), "text", before_upload=True),
    Texts("telegram.file_too_big", ("file is too big",), "media", before_upload=True),
    Texts("telegram.album_refused", ("can't use the media of the specified type",), "media", before_upload=True),
    Texts("telegram.album_refused", ("too many messages to send as an album",), "media", before_upload=True),
    Texts(
        "telegram.reply_gone",
        ("message to be replied not found", "replied message not found", "reply message not found"),  # of all years
        "post",
    ),
    Texts("telegram.button_refused", ("inline keyboard button url", "button_url_invalid"), "buttons"),
    Texts("telegram.image_refused", ("photo_invalid_dimensions", "photo has unsupported extension"), "media"),
    Texts("telegram.image_refused", ("wrong file identifier/http url specified", "file must be non-empty"), "media"),
)


class Bot(NamedTuple):
    """One bot at one server. Its address contains the token."""

    session: Session
    api_url: str
    token: str

    def __repr__(self) -> str:
        return "Bot()"

    def read(self, method: str, params: Json) -> Json:
        """Call a method that changes nothing and return its result, an object."""
        response = self._asked(method, params)
        result = self._result(response, album=False)
        if not isinstance(result, dict):
            raise response.unusable("bad_answer")
        return result

    def ask(self, method: str, params: Json) -> None:
        """Call a method that may be repeated and whose result says no more than that it was done."""
        self._result(self._asked(method, params), album=False)

    def send(self, method: str, params: Json, files: Files | None = None) -> list[Json]:
        """Call a method that publishes; return its messages: at least one, each with its id. Streams go in pieces."""
        params = {"chat_id": self.session.config["chat_id"], **params}
        url = self._url(method)
        if files:
            # In a form, what is no text is JSON: numbers, yes and no, nested objects.
            data = {name: value if isinstance(value, str) else json.dumps(value) for name, value in params.items()}
            response = self.session.http.request("POST", url, irreversible=True, data=data, files=files)
        else:
            response = self.session.http.request("POST", url, irreversible=True, json=params)
        result = self._result(response, album=method == "sendMediaGroup")
        answered = result if isinstance(result, list) else [result]
        messages = [sent for sent in answered if isinstance(sent, dict) and isinstance(sent.get("message_id"), int)]
        if not messages or len(messages) < len(answered):
            raise response.unusable("bad_answer")
        return messages

    def _asked(self, method: str, params: Json) -> Response:
        return self.session.http.request("POST", self._url(method), json=params)

    def _url(self, method: str) -> str:
        return f"{self.api_url}/bot{self.token}/{method}"

    def _result(self, response: Response, *, album: bool) -> object:
        answer = response.json_or_empty()
        if response.status == 200 and answer.get("ok") is True:
            return answer.get("result")
        raise self._refusal(response, answer, album=album)

    def _refusal(self, response: Response, answer: Json, *, album: bool) -> PublishError:
        """Sort a refusal: by status where that is enough, else by how the description begins."""
        http, now = self.session.http, self.session.now()
        detail, status = http.redact(str(answer.get("description", ""))), response.status
        parameters = answer.get("parameters")
        parameters = parameters if isinstance(parameters, dict) else {}
        if status == 200:
            return response.unusable("bad_answer", detail=detail)
        if status == 413:  # from the server or, as HTML, from a proxy in front of it
            return ContentRejected("telegram.image_refused", field="media", detail=detail, status_code=status)
        wait = parameters.get("retry_after", response.retry_after_seconds(now))
        wait = float(min(wait, RETRY_AFTER_LONGEST_SECONDS)) if isinstance(wait, int | float) else None
        if status >= 500 or status == 408:
            return response.unusable("server_error", detail=detail, retry_after_seconds=wait)
        if not answer:
            return response.unusable("unexpected_answer")
        if status == 429 and album:
            return response.unusable("telegram.album_unknown", detail=detail)
        if status == 429:
            seconds = RETRY_AFTER_SECONDS if wait is None else max(1.0, wait)
            until = now + timedelta(seconds=seconds)
            return RateLimited("rate_limited", until=until, detail=detail, status_code=status)
        if status == 401 or detail == "Not Found":
            return ReconnectNeeded("telegram.wrong_token", detail=detail, status_code=status)
        new_id = parameters.get("migrate_to_chat_id")
        if status == 400 and isinstance(new_id, int):
            return _moved(new_id, str(self.session.config.get("topic", "")), detail)
        return _described(detail, response, album=album)


def _described(detail: str, response: Response, *, album: bool) -> PublishError:
    text = CLASS_PREFIX.sub("", detail, count=1).lower()
    for case in ACCESS_TEXTS + CONTENT_TEXTS:
        if not text.startswith(case.beginnings):
            continue
        if album and not case.before_upload:
            break
        if case.field:
            return ContentRejected(case.code, field=case.field, detail=detail, status_code=response.status)
        return ReconnectNeeded(case.code, detail=detail, status_code=response.status)
    if response.status == 403 and not album:
        return ReconnectNeeded("telegram.forbidden", detail=detail, status_code=403)
    return response.unusable("telegram.album_unknown" if album else "unexpected_answer", detail=detail)


def identity_id(chat_id: object, topic: str) -> str:
    """Return an account's permanent id: the chat's number, and behind it that of a topic where it is one."""
    return f"{chat_id}/{topic}" if topic else str(chat_id)


def _moved(new_id: int, topic: str, detail: str) -> Temporary:
    """The group became a supergroup: nothing was sent, the next try goes to the new number."""
    return Temporary(
        "telegram.chat_moved",
        detail=detail,
        status_code=400,
        retry_after_seconds=0,
        new_config={"chat_id": new_id, "chat_type": "supergroup"},
        new_identity_id=identity_id(new_id, topic),
    )
