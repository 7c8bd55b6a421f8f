"""Migrations newer than the first release leave the release before them able to work, and lock little."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, models
from django.db.migrations import Migration, operations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ModelState, ProjectState
from django.utils import timezone

from queue_app.models import Notice
from tests.migrations import (
    BASELINE,
    EXCEPTIONS,
    Finding,
    _squawk,
    baseline_state,
    excepted,
    newer_migrations,
    squawked,
    taken_away,
)


def rules(*changes: operations.base.Operation) -> list[str]:
    """Return the rules that a migration with these operations breaks."""
    state = ProjectState()
    fields = [("id", models.BigAutoField(primary_key=True)), ("name", models.CharField(max_length=20, null=True))]
    state.add_model(ModelState("posts", "Cat", fields))
    migration = Migration("9999_test", "posts")
    migration.operations = list(changes)
    return [finding.rule for finding in taken_away(migration, state)]


@pytest.mark.one_database
def test_what_takes_something_away_is_found() -> None:
    assert rules(operations.AddField("cat", "age", models.IntegerField(null=True))) == []
    assert rules(operations.AlterField("cat", "name", models.CharField(max_length=40, null=True))) == []
    assert rules(operations.RemoveField("cat", "name")) == ["takes-away"]
    assert rules(operations.RenameField("cat", "name", "called")) == ["takes-away"]
    assert rules(operations.RenameModel("Cat", "Dog")) == ["takes-away"]
    assert rules(operations.DeleteModel("Cat")) == ["takes-away"]
    assert rules(operations.AlterField("cat", "name", models.CharField(max_length=20))) == ["narrows"]
    assert rules(operations.AlterField("cat", "name", models.CharField(max_length=10, null=True))) == ["narrows"]
    assert rules(operations.AlterField("cat", "name", models.TextField())) == ["narrows", "narrows"]


@pytest.mark.one_database
def test_no_migration_takes_away_what_the_release_before_it_uses() -> None:
    loader = MigrationLoader(None)
    for migration in newer_migrations(loader):
        key = (migration.app_label, migration.name)
        before = loader.project_state([key], at_end=False)
        found = [finding for finding in taken_away(migration, before) if not excepted(finding)]
        assert found == [], "expand now, contract in the release after: docs/upgrading.md"


@pytest.mark.django_db
def test_the_release_of_the_baseline_can_still_write_every_row() -> None:
    """What it does not know must be optional: an INSERT of its columns alone goes through."""
    state = baseline_state(MigrationLoader(None))
    wrong = []
    with connection.cursor() as cursor:
        for model in state.apps.get_models(include_auto_created=True):
            if model._meta.app_label not in BASELINE:
                continue
            known = {field.column for field in model._meta.local_concrete_fields}
            columns = {
                column.name: column
                for column in connection.introspection.get_table_description(cursor, model._meta.db_table)
            }
            wrong += [f"{model._meta.db_table}.{name} is gone" for name in known - set(columns)]
            wrong += [
                f"{model._meta.db_table}.{name} is new, must not be empty and has no default in the database"
                for name in set(columns) - known
                if not columns[name].null_ok and columns[name].default is None
            ]
    assert wrong == []


@pytest.mark.postgresql
@pytest.mark.django_db
def test_no_migration_locks_a_large_table_for_long(tmp_path: Path) -> None:
    found = squawked(newer_migrations(MigrationLoader(None)), tmp_path)
    assert [finding for finding in found if not excepted(finding)] == []
    used = {(finding.migration, finding.rule) for finding in found}
    assert {(key, rule) for key, each in EXCEPTIONS.items() for rule in each} - used == set(), "exceptions for nothing"


@pytest.mark.django_db
def test_open_incidents_get_the_key_of_what_they_are_about_once_each() -> None:
    def told(subject: str, page: str, **fields: Any) -> Notice:
        return Notice.objects.create(kind="reconnect", subject=subject, page=page, created_at=timezone.now(), **fields)

    before = told("Ada on X", "/admin/posts/account/7/change/")
    renamed = told("Ada King on X", "/admin/posts/account/7/change/")
    hook = told("Webhook “Desk” of ada", "/admin/posts/webhookendpoint/3/change/")
    other = told("Archive", "")
    over = told("Bob on X", "/admin/posts/account/8/change/", cleared_at=timezone.now())
    fill_keys = importlib.import_module("posts.migrations.0012_keys_of_notices").fill_keys
    fill_keys(apps, SimpleNamespace(connection=connection))
    stored = Notice.objects.in_bulk()
    assert [stored[each.pk].key for each in (before, renamed, hook, other, over)] == [
        "account:7", "", "endpoint:3", "", ""
    ]  # fmt: skip
    assert stored[renamed.pk].cleared_at is not None
    assert stored[renamed.pk].over_addressed_at is not None
    assert stored[other.pk].cleared_at is None


@pytest.mark.one_database
def test_what_locks_for_long_is_found(tmp_path: Path) -> None:
    path = tmp_path / "bad.sql"
    path.write_text(
        'ALTER TABLE "posts_post" ADD COLUMN "a" integer NOT NULL;\n'
        'CREATE INDEX "i" ON "posts_post" ("a");\n'
        'ALTER TABLE "posts_post" RENAME COLUMN "text" TO "words";\n'
        'ALTER TABLE "posts_post" ADD CONSTRAINT "c" CHECK ("a" > 0);\n'
    )
    found = {problem["rule_name"] for problem in _squawk([path])}
    assert found == {
        "adding-required-field",
        "constraint-missing-not-valid",
        "renaming-column",
        "require-concurrent-index-creation",
    }


@pytest.mark.one_database
def test_every_exception_is_of_a_migration_that_there_is_and_has_a_reason() -> None:
    there = {(migration.app_label, migration.name) for migration in newer_migrations(MigrationLoader(None))}
    assert set(EXCEPTIONS) <= there
    assert all(reason for each in EXCEPTIONS.values() for reason in each.values())
    assert excepted(Finding(("posts", "0007_origin_of_posts"), "disallowed-unique-constraint", ""))
    assert not excepted(Finding(("posts", "0007_origin_of_posts"), "takes-away", ""))
