"""Publishing in two steps, as Instagram and Threads do: containers, their state, and finding what was published.

A container is made from an address that the network fetches, it is polled until it is finished, and publishing uses it
up: the same one never makes two posts. It does not name its post, so that is looked for among the recent ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from posts.platforms._graph import Graph, created_id
from posts.platforms._graph_rows import Rows
from posts.publishing.errors import (
    ContentRejected,
    NotReady,
    OutcomeUnknown,
    PublishError,
    RateLimited,
    Temporary,
)
from posts.publishing.http import Response
from posts.publishing.platform import Checkpoints, Session
from posts.publishing.types import Absent, CannotTell, Finding, Found, Json, MediaFile, Published

FINISHED, PUBLISHED, FAILED, EXPIRED = "FINISHED", "PUBLISHED", "ERROR", "EXPIRED"
UNREADABLE_DEADLINE_SECONDS = 600
PROCESSING_DEADLINE_SECONDS = 6 * 3600  # a container lives for a day; long films take minutes
SLOT_SECONDS = 3600  # a used-up quota slides over a day and names no time: ask again each hour
SKEW = timedelta(seconds=60)
PERMALINK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Containers:
    """The containers of one account during one step.

    ``edge`` makes them, ``publish_edge`` publishes; ``status_name`` and ``reason_name`` are the fields of their state.
    ``failure`` says what the reason of a failed one means, ``publish_rows`` what errors mean at ``publish_edge`` only.
    """

    graph: Graph
    session: Session
    edge: str
    publish_edge: str
    status_name: str
    reason_name: str
    failure: Callable[[Response, str], PublishError]
    publish_rows: Rows
    check_after_seconds: float = 15

    def made(self, checkpoints: Checkpoints, name: str, fields: Callable[[], Mapping[str, str]]) -> str:
        """Return the id of the container called ``name``, made if it is not there yet."""
        made = checkpoints.once(name, lambda: {"id": created_id(self.graph.post(self.session, self.edge, fields()))})
        return str(made["id"])

    def finish(self, checkpoints: Checkpoints, name: str, *parts: str) -> None:
        """Return once the container called ``name`` is finished, else raise what keeps it.

        ``parts`` are the names of those that it is made of; where it failed, all are made anew the next time.
        """
        made = checkpoints.get(name) or {}
        status, reason, response = self.state(str(made.get("id", "")))
        if status == FINISHED:
            return
        if status == PUBLISHED:
            raise OutcomeUnknown("already_published")
        if status == EXPIRED:
            raise Temporary("prepared_expired", restart=True, retry_after_seconds=0)
        if status == FAILED:
            checkpoints.forget(name, *parts)
            raise self.failure(response, reason)
        raise NotReady(check_after_seconds=self.check_after_seconds, deadline_seconds=PROCESSING_DEADLINE_SECONDS)

    def finish_items(self, checkpoints: Checkpoints, names: Sequence[str]) -> None:
        """Return once all containers of a carousel are finished; those that are, are not asked about again."""
        for name in names:
            made = checkpoints.get(name) or {}
            if not made.get("ready"):
                self.finish(checkpoints, name)
                checkpoints.put(name, {**made, "ready": True})

    def state(self, container: str) -> tuple[str, str, Response]:
        """Return a container's status and the reason beside it. A fresh one is unreadable for a while."""
        unreadable = partial(
            NotReady,
            f"{self.graph.platform}.unreadable",
            check_after_seconds=self.check_after_seconds,
            deadline_seconds=UNREADABLE_DEADLINE_SECONDS,
        )
        fields = {"fields": f"{self.status_name},{self.reason_name}"}
        response = self.graph.get(self.session, container, fields, rows={(100, 33): unreadable})
        answer = response.json()
        if not isinstance(answer.get(self.status_name), str):
            raise response.unusable("bad_answer")
        return answer[self.status_name], str(answer.get(self.reason_name, "")), response

    def require_slot(self, path: str, usage_name: str, config_name: str) -> None:
        """Raise RateLimited where the account's publishing quota is used up.

        Publishing enforces it too, so a fault of this look holds nothing up.
        """
        answer: Json = {}
        with suppress(Temporary, ContentRejected):
            answer = self.graph.get(self.session, path, {"fields": f"{usage_name},{config_name}"}).json()
        data = answer.get("data")
        quota = data[0] if isinstance(data, list) and data and isinstance(data[0], dict) else {}
        config = quota.get(config_name)
        used, total = quota.get(usage_name), config.get("quota_total") if isinstance(config, dict) else None
        if isinstance(used, int) and isinstance(total, int) and used >= total:
            until = self.session.now() + timedelta(seconds=SLOT_SECONDS)
            raise RateLimited("limit_used_up", until=until, used=used, total=total)

    def publish(self, container: str) -> Published:
        """Publish ``container`` and read the post's address; where that fails, ``settle`` tries once more.

        One that was sent before is asked about first: what is published is not sent again.
        """
        if self.session.sent_before and self.state(container)[0] == PUBLISHED:
            raise OutcomeUnknown("already_published")
        form = {"creation_id": container}
        response = self.graph.post(self.session, self.publish_edge, form, irreversible=True, rows=self.publish_rows)
        return self.linked(Published(created_id(response), "", {"container": container}, settled=False))

    def linked(self, published: Published) -> Published:
        """Return ``published`` with its address if the network tells it: that is no reason to fail or to repeat."""
        with suppress(PublishError):
            fields = {"fields": "permalink"}
            answer = self.graph.get(self.session, published.id, fields, timeout_seconds=PERMALINK_SECONDS).json()
            link = address(answer)
            return replace(published, url=link, settled=True) if link else published
        return published

    def find(
        self, container: str, recent: Callable[[], list[Json]], text: str, text_name: str, marked_at: datetime
    ) -> Finding:
        """Look for the post of ``container`` among the ``recent`` ones that came since the mark.

        Where two have its text, or one without text may be anybody's, nobody can tell. An unpublished container
        beside no such post means that it is not there.
        """
        status, _reason, _response = self.state(container)
        since = [post for post in recent() if created_since(post, marked_at - SKEW)]
        same = [post for post in since if str(post.get(text_name) or "").strip() == text.strip()]
        if len(same) > 1:
            return CannotTell("several_match")
        if same and (text.strip() or status == PUBLISHED):
            post = same[0]
            return Found(Published(str(post["id"]), address(post), {"container": container}))
        if same:
            return CannotTell("several_match", look_again=True)
        if status in (PUBLISHED, EXPIRED):
            return CannotTell("published_unseen", look_again=True)
        return Absent()


def media_url(media: MediaFile) -> str:
    """Return where the network fetches a file; raises ContentRejected where this site has no such address."""
    with suppress(LookupError):
        return media.url()
    raise ContentRejected("media_address_missing", field="media")


def address(post: Json) -> str:
    """Return the public address that a post or an answer names, "" if it names none."""
    link = post.get("permalink")
    return link if isinstance(link, str) and link.startswith("https://") else ""


def created_since(post: Json, since: datetime) -> bool:
    """Return whether a post with an id is from ``since`` or later. Times look like 2026-11-22T07:00:00+0000."""
    try:
        made = datetime.fromisoformat(str(post.get("timestamp", "")))
    except ValueError:
        return False
    return bool(post.get("id")) and made.tzinfo is not None and made >= since
