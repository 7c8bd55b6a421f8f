"""Who may do what through the API: the table of ``table.py``, walked operation by operation."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from ninja.openapi.schema import OpenAPISchema

from queue_app import keys
from queue_app.models import Job
from tests.posts.making import account, draft
from tests.posts.rest.calling import EVERY_SCOPE, Program
from tests.posts.rest.table import NOBODY, OTHER, ROLES, ROOT, ROWS, Row

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]


def operations() -> dict[str, dict[str, Any]]:
    paths = Client().get("/api/openapi.json").json()["paths"]
    return {each["operationId"]: each for methods in paths.values() for each in methods.values()}


def call(row: Row, program: Any, owner: User) -> int:
    ids = row.target(owner)
    answer = program(row.method, row.path.format(**ids), row.body(ids))
    assert answer.status_code < 400 or answer["Content-Type"] == "application/problem+json"
    return int(answer.status_code)


def anonymous(method: str, path: str, body: Any) -> Any:
    return Client().generic(method, f"/api/{path}", content_type="application/json")


def test_every_operation_has_a_row_and_says_its_scope() -> None:
    found = operations()
    assert set(found) == set(ROWS)
    assert {name: each["x-scope"] for name, each in found.items()} == {name: row.scope for name, row in ROWS.items()}
    assert all(each["security"] and each["x-permissions"] for each in found.values())


def test_every_body_of_a_post_has_an_example() -> None:
    schema = Client().get("/api/openapi.json").json()
    posts = {path: methods for path, methods in schema["paths"].items() if path.startswith("/api/posts")}
    bodies = [each["requestBody"] for methods in posts.values() for each in methods.values() if "requestBody" in each]
    names = set(re.findall(r"schemas/(\w+)", json.dumps(bodies)))
    assert names >= {"PostIn", "PostChange", "PostRetryIn", "QueueIn"}
    assert [name for name in sorted(names) if not schema["components"]["schemas"][name].get("examples")] == []


def test_no_two_forms_have_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The description has one place for each name: the last would be told for all."""
    add, clashes = OpenAPISchema.add_schema_definitions, set()

    def watched(self: OpenAPISchema, definitions: dict[str, Any]) -> None:
        clashes.update(name for name, told in definitions.items() if self.schemas.get(name, told) != told)
        add(self, definitions)

    monkeypatch.setattr(OpenAPISchema, "add_schema_definitions", watched)
    operations()
    assert clashes == set()


@pytest.mark.parametrize("name", sorted(ROWS))
def test_an_operation_answers_each_role_as_the_table_says(name: str) -> None:
    row = ROWS[name]
    people = {role: make(f"user {place}") for place, (role, make) in enumerate(ROLES.items())}
    found = {NOBODY: call(row, anonymous, people[ROOT])}
    for role, user in people.items():
        owner = User.objects.create_user("owner") if role == OTHER else user
        found[role] = call(row, Program(user), owner)
    assert found == {role: row.expected(role) for role in (NOBODY, *ROLES)}


@pytest.mark.parametrize("name", sorted(ROWS))
def test_a_key_needs_the_scope_of_the_operation_and_no_other(name: str) -> None:
    row, root = ROWS[name], User.objects.create_superuser("root")
    assert call(row, Program(root, [scope for scope in EVERY_SCOPE if scope != row.scope]), root) == 403
    assert call(row, Program(root, [row.scope]), root) == row.done


def test_scheduling_and_publishing_by_create_and_update_need_the_scope_publish() -> None:
    root = User.objects.create_superuser("root")
    writer = Program(root, [keys.READ, keys.WRITE])
    ids = ROWS["create_post"].target(root)
    body = {"text": "Hello", "accounts": [ids["account_id"]]}
    made = writer.post("posts", body)
    assert made.status_code == 201
    at = {"scheduled_at": "2030-01-31T09:30"}
    for change in (at, {"status": "PUBLISHED"}, {"status": "SCHEDULED", **at}):
        assert writer.post("posts", body | change).status_code == 403
    for change in (at, {"status": "PUBLISHED"}, {"status": "DRAFT"}):
        refused = writer.patch(f"posts/{made.json()['id']}", change)
        assert (refused.status_code, "publish" in refused.json()["detail"]) == (403, True)


def test_another_account_for_what_is_scheduled_needs_the_scope_publish() -> None:
    root = User.objects.create_superuser("root")
    writer, program = Program(root, [keys.READ, keys.WRITE]), Program(root)
    on, other = account("Ada"), account("Bob")
    path = f"posts/{draft(on, owner=root).pk}"
    assert writer.patch(path, {"accounts": [other.pk, on.pk]}).status_code == 200
    assert program.patch(path, {"scheduled_at": "2030-01-31T09:30"}).status_code == 200
    assert writer.patch(path, {"accounts": [on.pk, other.pk], "text": "Better"}).json()["text"] == "Better"
    for accounts in ([on.pk], [on.pk, other.pk, account("Eve").pk]):
        refused = writer.patch(path, {"accounts": accounts})
        assert (refused.status_code, "publish" in refused.json()["detail"]) == (403, True)
    assert Job.objects.filter(state="pending").count() == 2
    assert program.patch(path, {"accounts": [on.pk]}).status_code == 200
