"""The API of a site with posts: the queue's operations and ours, in one description."""

from __future__ import annotations

from posts.rest import deliveries, posts
from posts.rest.problems import of_service
from posts.services.errors import ServiceError
from queue_app.rest.api import Api, queue_routers


def posts_api() -> Api:
    """Return the API of a site that has both apps."""
    api = Api("SocialQ", [posts.router, deliveries.router, *queue_routers()])
    api.answer_errors(ServiceError, of_service)
    return api
