"""Discord, through a webhook of one channel: text, files and an embed. The webhook's address is the secret.

Webhooks have no idempotency key and cannot list messages, so an unknown outcome stays unknown and a person decides. A
webhook that Discord does not know is not called again: repeated calls get the whole site locked out.
https://docs.discord.com/developers/resources/webhook
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime

from posts.platforms._discord_answers import refusal, used_up_until
from posts.platforms._discord_message import (
    MOST_BYTES_TOGETHER,
    MOST_FILES,
    OPTIONS,
    message,
    problems_of,
)
from posts.platforms._discord_words import WORDS
from posts.publishing.capabilities import Capabilities, DocumentLimits, ImageLimits, TextLimit, VideoLimits, Window
from posts.publishing.errors import ContentRejected, ReconnectNeeded, Temporary
from posts.publishing.http import Files, Response
from posts.publishing.platform import Checkpoints, Platform, Session
from posts.publishing.types import (
    CannotTell,
    Config,
    Connection,
    Content,
    Draft,
    Field,
    Finding,
    Identity,
    Json,
    Published,
    Remark,
)

DEFAULT_API = "https://discord.com"
SITE = "https://discord.com"
ADDRESS = re.compile(
    r"(?:https://)?(?:(?:canary|ptb)\.)?discord(?:app)?\.com/(?:api/(?:v[0-9]+/)?)?webhooks/"
    r"(?P<id>[0-9]{15,20})/(?P<token>[A-Za-z0-9_-]+)/?(?:(?:slack|github)/?)?(?:\?.*)?"
)
FILE_BYTES = 10 * 1024 * 1024  # of a server without boosts


class Discord(Platform):
    """Publishes to the channel of one webhook."""

    name = "discord"
    label = "Discord"
    api_server = DEFAULT_API
    capabilities = Capabilities(
        text=(TextLimit("code_points", 2000),),
        max_images=MOST_FILES,
        images=ImageLimits(max_bytes=FILE_BYTES, max_side_pixels=8192),
        alt_text=(TextLimit("code_points", 1024),),
        max_videos=MOST_FILES,
        videos=VideoLimits(max_bytes=FILE_BYTES, formats=("video/mp4", "video/webm", "video/quicktime")),
        max_gifs=MOST_FILES,
        gifs=VideoLimits(max_bytes=FILE_BYTES, formats=("image/gif",)),
        max_documents=MOST_FILES,
        documents=DocumentLimits(max_bytes=FILE_BYTES, formats=("application/pdf", "text/plain", "application/zip")),
        mixes=True,
        threads=True,  # one message after the other
        marks=("link",),
    )
    connect_fields = (
        Field(
            "webhook_url",
            "Address of the webhook",
            secret=True,
            help="In Discord: the channel's settings, Integrations, Webhooks, Copy Webhook URL.",
        ),
    )
    options = OPTIONS
    words = WORDS
    windows = (Window(5, 2), Window(30, 60))  # of a webhook and of a channel, as observed; Discord says to read headers

    def problems(self, draft: Draft, config: Config) -> Sequence[Remark]:
        """Return what of a draft Discord would not take."""
        return list(problems_of(draft))

    def connect(self, session: Session, answers: Mapping[str, str]) -> Connection:
        """Ask Discord about the webhook; raises ReconnectNeeded if it is none, or is not known there."""
        entered = answers["webhook_url"].strip()
        session.http.hide(entered)
        address = ADDRESS.fullmatch(entered)
        if address is None:
            raise ReconnectNeeded("discord.address_unusable")
        return _described(session, address["id"], address["token"])

    def check(self, session: Session) -> Connection:
        """Ask Discord about the webhook, which posts nothing."""
        return _described(session, session.config["webhook_id"], session.credentials["token"])

    def prepare(self, session: Session, content: Content, checkpoints: Checkpoints) -> Json:
        """Freeze the message. Discord takes no file ahead of it, so files are only named."""
        if not content.text.strip() and not content.media:
            raise ContentRejected("post_empty", field="text")
        if sum(media.size_bytes for media in content.media) > MOST_BYTES_TOGETHER:
            raise ContentRejected("discord.files_too_large", field="media")
        return {
            "body": message(content),
            "thread_id": str(content.options.get("thread_id") or ""),
            "media": [media.key for media in content.media],
        }

    def commit(self, session: Session, snapshot: Json) -> Published:
        """Send the message and wait for it: without ``wait`` Discord hides that a message was not saved."""
        # Later parts follow the first into the thread that it has made in a forum.
        begun = session.thread[0].response.get("thread_id", "") if session.thread else ""
        thread_id = begun or snapshot["thread_id"]
        query = {"wait": "true", **({"thread_id": thread_id} if thread_id else {})}
        response = self._send(session, snapshot, query)
        if response.status != 200:
            raise refusal(session, response, thread_id=thread_id)
        answer = response.json()
        number, channel = answer.get("id"), answer.get("channel_id")
        if not (isinstance(number, str) and isinstance(channel, str) and number and channel):
            raise response.unusable("bad_answer")
        until = used_up_until(response, session.now())
        if until is not None:
            session.exhausted(until, "account")
        if snapshot["body"].get("thread_name"):
            thread_id = channel
        url = f"{SITE}/channels/{session.config['guild_id']}/{channel}/{number}"
        kept = {"channel_id": channel, "timestamp": answer.get("timestamp")}
        return Published(number, url, kept | ({"thread_id": thread_id} if thread_id else {}))

    def find(self, session: Session, snapshot: Json, marked_at: datetime) -> Finding:
        """Answer that nobody can tell: a webhook reads a message by its id only, which was lost."""
        return CannotTell("no_read_back")

    def _send(self, session: Session, snapshot: Json, query: Mapping[str, str]) -> Response:
        url, headers = _url(session, session.config["webhook_id"], session.credentials["token"]), _headers(session)
        body = snapshot["body"]
        if not snapshot["media"]:
            return session.http.request("POST", url, irreversible=True, headers=headers, params=query, json=body)
        with ExitStack() as opened:
            files = _files(session, snapshot, opened)
            return session.http.request("POST", url, irreversible=True, headers=headers, params=query, files=files)


PLATFORM = Discord()


def _described(session: Session, webhook_id: str, token: str) -> Connection:
    session.http.hide(token)
    response = session.http.request("GET", _url(session, webhook_id, token), headers=_headers(session))
    if response.status != 200:
        raise refusal(session, response)
    answer = response.json()
    channel = answer.get("channel_id")
    if str(answer.get("id", "")) != webhook_id or not isinstance(channel, str):
        raise response.unusable("bad_answer")
    name = str(answer.get("name") or f"Webhook {webhook_id}")
    config = {"webhook_id": webhook_id, "guild_id": str(answer.get("guild_id") or "@me"), "channel_id": channel}
    return Connection(Identity(webhook_id, name), {"token": token}, {**config, "name": name})


def _url(session: Session, webhook_id: str, token: str) -> str:
    return f"{session.app.api(DEFAULT_API)}/api/v10/webhooks/{webhook_id}/{token}"


def _headers(session: Session) -> dict[str, str]:
    """Name this site in the form that Discord asks for; others are kept out by its gateway."""
    return {"User-Agent": f"DiscordBot ({session.app.site_url or 'SocialQ'}, 1.0)"}


def _files(session: Session, snapshot: Json, opened: ExitStack) -> Files:
    """Open the files before anything is sent; ``files[n]`` belongs to the attachment with the id n."""
    payload = json.dumps(snapshot["body"]).encode()
    parts: dict[str, tuple[str | None, bytes, str]] = {"payload_json": (None, payload, "application/json")}
    streams = {}
    try:
        for number, key in enumerate(snapshot["media"]):
            media = session.media[key]
            streams[f"files[{number}]"] = (media.filename, opened.enter_context(media.open()), media.mime_type)
    except (KeyError, OSError):
        failure = Temporary("media_unreadable")
    else:
        return {**parts, **streams}
    raise failure
