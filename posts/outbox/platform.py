"""The outbox as a platform: a network that needs no credentials and can be told to fail in every way.

Connects, sends and looks up through ``network``, which stands for the other side. Failpoints stand where a real
network's request is under way ("mid_body") and where its answer is on the way back ("after_accept").
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

from django.urls import NoReverseMatch, reverse

from posts.outbox import network
from posts.outbox.models import OutboxPost
from posts.publishing.capabilities import Capabilities, ImageLimits, TextLimit
from posts.publishing.errors import (
    ContentRejected,
    OutcomeUnknown,
    PublishError,
    RateLimited,
    ReconnectNeeded,
    Temporary,
    TokenExpired,
    Unreachable,
)
from posts.publishing.platform import Checkpoints, Platform, Session
from posts.publishing.types import (
    Absent,
    CannotTell,
    Config,
    Connection,
    Content,
    Field,
    Finding,
    Found,
    Identity,
    Json,
    MediaFile,
    Published,
)
from posts.publishing.words import Words
from queue_app import conf as queue_conf
from queue_app.failpoints import failpoint

NAME_MAX_CHARACTERS = 100
ORDERED = "this outbox account was told to answer so"
YES, NO = ("yes", "true", "1"), ("no", "false", "0")

REFUSALS: Mapping[str, Callable[..., PublishError]] = {
    "unreachable": Unreachable,
    "temporary": Temporary,
    "token_expired": TokenExpired,
    "reconnect_needed": ReconnectNeeded,
    "content_rejected": partial(ContentRejected, field="text"),
    "no_answer": OutcomeUnknown,
    "lost": OutcomeUnknown,
}


WORDS = {
    "outbox.no_mailbox": Words(
        "The outbox has no mailbox with this name any more; nothing was sent.", "Connect the account again."
    ),
    "outbox.bad_name": Words(
        "The outbox does not take this name: it has more than {maximum} characters, or some that cannot be shown.",
        "Enter another name.",
    ),
    "outbox.bad_keeps_keys": Words("Whether repeats are recognised is neither yes nor no.", "Enter yes or no."),
}


class OutboxPlatform(Platform):
    """Publishes into the site itself, at /outbox/."""

    name = network.PLATFORM
    label = "Outbox"
    capabilities = Capabilities(
        text=(TextLimit("graphemes", 5000),),
        max_images=10,
        images=ImageLimits(max_bytes=2_000_000, max_side_pixels=2048),
        alt_text=(TextLimit("graphemes", 2000),),
        marks=("link",),
    )
    connect_fields = (
        Field("name", "Name", help="Any name; posts appear under it at /outbox/."),
        Field(
            "keeps_keys",
            "Recognise repeats",
            required=False,
            help="yes (the usual) or no: a network without keys, where a lost answer cannot be looked up.",
        ),
    )
    words = WORDS
    repeat_is_safe = True
    refreshes = True

    def repeats_safely(self, config: Config) -> bool:
        """Return whether the mailbox honours the sender's key."""
        return network.keeps_keys(config)

    def connect(self, session: Session, answers: Mapping[str, str]) -> Connection:
        """Open a mailbox, or log in to the one of that name; raises ContentRejected for an answer that is not taken."""
        name, keeps_keys = " ".join(answers["name"].split()), answers.get("keeps_keys", "").strip().lower()
        if not name.isprintable() or len(name) > NAME_MAX_CHARACTERS:
            raise ContentRejected("outbox.bad_name", field="name", maximum=NAME_MAX_CHARACTERS)
        config: Json = {"mailbox": name}
        if keeps_keys:
            if keeps_keys not in YES + NO:
                raise ContentRejected("outbox.bad_keeps_keys", field="keeps_keys")
            config["keeps_keys"] = keeps_keys in YES
        return self._login(name, config)

    def refresh(self, session: Session) -> Connection:
        """Return a new login for the same mailbox."""
        return self._login(session.config["mailbox"], {})

    def check(self, session: Session) -> Connection:
        """Say whose mailbox this is."""
        mailbox = session.config["mailbox"]
        return Connection(Identity(mailbox, mailbox), {})

    def prepare(self, session: Session, content: Content, checkpoints: Checkpoints) -> Json:
        """Upload the pictures and freeze the post."""
        if network.fails_before_sending(session.config):
            raise RuntimeError(ORDERED)
        if not content.text.strip() and not content.media:
            raise ContentRejected("post_empty", field="text")
        pictures = [checkpoints.once(f"picture:{media.key}", partial(_uploaded, media)) for media in content.media]
        return {"key": content.key, "text": content.text, "pictures": pictures}

    def commit(self, session: Session, snapshot: Json) -> Published:
        """Send the post; where its key is known there, the answer is the post that is live already."""
        failpoint("mid_body")
        now = session.now()
        mailbox = session.config["mailbox"]
        answer = network.receive(mailbox, snapshot["key"], snapshot["text"], snapshot["pictures"], now)
        failpoint("after_accept")
        if answer.failure == "rate_limited":
            raise RateLimited(until=now + timedelta(seconds=answer.wait_seconds), detail=ORDERED)
        if answer.failure in REFUSALS:
            raise REFUSALS[answer.failure](detail=ORDERED)
        if answer.post is None:
            raise RuntimeError(ORDERED)
        return _published(answer.post)

    def find(self, session: Session, snapshot: Json, marked_at: datetime) -> Finding:
        """Look the post up by its key; nobody can tell where the mailbox keeps none."""
        if not network.keeps_keys(session.config):
            return CannotTell("no_read_back")
        live = network.look_up(session.config["mailbox"], snapshot["key"])
        return Absent() if live is None else Found(_published(live))

    def _login(self, mailbox: str, config: Json) -> Connection:
        return Connection(Identity(mailbox, mailbox), {"token": secrets.token_urlsafe(24)}, config)


def _uploaded(media: MediaFile) -> Json:
    return {
        "file": network.keep_picture(media.read()),
        "mime_type": media.mime_type,
        "width": media.width,
        "height": media.height,
        "alt_text": media.alt_text,
    }


def _published(post: OutboxPost) -> Published:
    try:
        url = queue_conf.get("SITE_URL").rstrip("/") + reverse("posts:outbox_post", args=[post.pk])
    except NoReverseMatch:  # a site that does not show the outbox
        url = ""
    return Published(id=str(post.pk), url=url, response={"mailbox": post.mailbox})
