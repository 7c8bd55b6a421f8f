"""Webhooks for tests: made for a person, and a receiver on this machine that checks with the reference library."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook
from werkzeug import Request, Response

from posts.models import WebhookEndpoint
from posts.services.endpoints import create_endpoint
from tests.people import allow

MAY = ("view_post", *(f"{what}_webhookendpoint" for what in ("view", "add", "change", "delete")))


def listener(name: str = "ada", *more: str) -> User:
    """Return a person who may have webhooks and sees their own posts, with the permissions ``more``."""
    return allow(User.objects.create_user(name), [*(f"posts.{codename}" for codename in MAY), *more])


def endpoint(
    owner: User | None = None, *, name: str = "Desk", url: str = "https://desk.example/hook", **options: Any
) -> WebhookEndpoint:
    owner = owner or listener()
    return create_endpoint(owner, name=name, url=url, **options)[0]


@dataclass
class Receiver:
    """What a receiver was sent. ``answers`` are given in turn, the last for ever: statuses, or whole responses."""

    server: HTTPServer
    secret: str = ""
    answers: list[Any] = field(default_factory=lambda: [204])
    seen: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server.expect_request("/hook", method="POST").respond_with_handler(self._answer)

    @property
    def url(self) -> str:
        return self.server.url_for("/hook")

    @property
    def ids(self) -> list[str]:
        return [request.headers["webhook-id"] for request in self.seen]

    def verified(self, place: int = -1, secret: str = "") -> Any:
        """Return what an event holds, as the reference library reads it; it raises for a wrong signature."""
        request = self.seen[place]
        return Webhook(secret or self.secret).verify(request.data, dict(request.headers.items(lower=True)))  # type: ignore[call-arg]

    def _answer(self, request: Request) -> Response:
        request.get_data(cache=True)
        self.seen.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer if isinstance(answer, Response) else Response(status=answer)
