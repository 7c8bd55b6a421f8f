"""The API of a site with posts: the queue's operations and ours, in one description."""

from __future__ import annotations

from posts.rest import accounts, acting, bulk, deliveries, events, media, posts, writing
from posts.rest.problems import of_service
from posts.services.errors import ServiceError
from queue_app.rest.api import Api, queue_routers

# Those that share a router add to it.
MODULES = (posts, writing, acting, bulk, deliveries, accounts, media, events)


def posts_api() -> Api:
    """Return the API of a site that has both apps."""
    ours = dict.fromkeys(module.router for module in MODULES)
    api = Api("SocialQ", [*ours, *queue_routers()])
    api.answer_errors(ServiceError, of_service)
    return api
