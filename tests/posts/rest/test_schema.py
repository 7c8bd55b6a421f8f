"""The whole API, called with what its own description generates: it answers as it says it does, whatever comes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import schemathesis
from django.contrib.auth.models import User
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from posts.models import Post
from posts.services.posts import schedule_post
from queue_app import clock
from socialq_site.wsgi import application
from tests.posts.making import NO_ANSWER, REJECTED, account, delivery, draft, picture, sent
from tests.posts.rest.calling import Program

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
CONFIG = {
    "generation": {"max-examples": 6, "deterministic": True, "database": "none"},
    "phases": {"coverage": {"enabled": False}},
}


@pytest.fixture
def described(settings: Any) -> Any:
    settings.SOCIALQ = {**settings.SOCIALQ, "API_REQUESTS_PER_MINUTE": 1_000_000, "HTTP_TIMEOUT_SECONDS": 1}
    return schemathesis.openapi.from_wsgi(
        "/api/openapi.json", application, config=schemathesis.Config.from_dict(CONFIG)
    )


@pytest.fixture
def root() -> Program:
    return Program(User.objects.create_superuser("root"))


@pytest.fixture
def ids(root: Program) -> dict[str, list[int]]:
    """Ids of rows in every state, so that not all that is generated asks for nothing."""
    place = account()
    posts: list[Post] = [draft(place), draft(place), sent(place, outcome=REJECTED), sent(place, outcome=NO_ANSWER)]
    schedule_post(posts[0], at=clock.now() + timedelta(hours=1))
    posts.append(sent(place))
    found = [delivery(post) for post in posts]
    return {
        "post_id": [post.pk for post in posts],
        "delivery_id": [each.pk for each in found],
        "job_id": [each.job_id for each in found if each.job_id is not None],
        "account_id": [place.pk],
        "media_id": [picture().pk, picture().pk],
    }


schema = schemathesis.pytest.from_fixture("described")


@schema.parametrize()
def test_whatever_is_generated_is_answered_as_described(
    case: schemathesis.Case, root: Program, ids: dict[str, list[int]]
) -> None:
    for name in case.path_parameters or {}:
        rows = ids[name]
        case.path_parameters[name] = rows[len(case.body) % len(rows) if isinstance(case.body, dict) else 0]
    if case.path == "/api/events":
        case.query = {**(case.query or {}), "format": "json"}  # a stream has no end
    case.call_and_validate(headers={"Authorization": f"Bearer {root.key}"}, checks=CHECKS)
