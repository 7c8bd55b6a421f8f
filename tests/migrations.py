"""What a migration may do that runs while the release before it still works: the rules, and who is excepted from one.

Migrations up to ``BASELINE`` came with the first release. Every later one must leave workers and web processes of the
release before it able to write, and must not lock a large table for long (docs/upgrading.md).
"""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db.migrations import Migration, operations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from tests import unavailable
from tests.site import ROOT

Key = tuple[str, str]

BASELINE: Mapping[str, str] = {"queue_app": "0006_ended_jobs_by_index_alone", "posts": "0006_skipped_days"}

_SMALL = "the table of notices is kept small by the daily purge"
# By migration: a rule of squawk's, and why it may be broken there.
EXCEPTIONS: Mapping[Key, Mapping[str, str]] = {
    ("posts", "0007_origin_of_posts"): {
        "disallowed-unique-constraint": "the column is new and empty: an index of nulls over the posts takes a second",
        "require-concurrent-index-creation": "the same index once more, for look-ups by its beginning",
    },
    ("posts", "0011_posts_by_time"): {
        "ban-concurrent-index-creation-in-transaction": "this migration is in none: it is not atomic",
        "prefer-robust-stmts": "what a build that broke off has left is dropped first",
    },
    ("queue_app", "0009_events_of_other_apps"): {
        "ban-drop-not-null": "events of no job are new, and workers of before read events by their job",
        "changing-column-type": "varchar(20) to varchar(100): the catalogue changes, no row is read",
    },
    ("queue_app", "0010_notices_to_people"): {
        "adding-foreign-key-constraint": _SMALL,
        "require-concurrent-index-creation": _SMALL,
    },
    ("queue_app", "0012_keys_of_notices"): {
        "require-concurrent-index-creation": _SMALL,
        "require-concurrent-index-deletion": _SMALL,
    },
}

# What takes away something that the release before still uses.
_TAKES_AWAY = (
    operations.DeleteModel,
    operations.RemoveField,
    operations.RenameField,
    operations.RenameModel,
    operations.AlterModelTable,
)
_CREATED = re.compile(r'CREATE TABLE "(\w+)"')
_OF_TABLE = re.compile(r'(?:ALTER TABLE|\bON) "(\w+)"')


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a migration, by the name of the rule."""

    migration: Key
    rule: str
    words: str


def newer_migrations(loader: MigrationLoader) -> list[Migration]:
    """Return the migrations of our apps that are newer than the baseline, in their order."""
    ours = [key for key in loader.graph.nodes if key[0] in BASELINE and key[1] > BASELINE[key[0]]]
    return [loader.get_migration(*key) for key in sorted(ours)]


def baseline_state(loader: MigrationLoader) -> ProjectState:
    """Return the models as they were at the baseline."""
    return loader.project_state(list(BASELINE.items()))


def taken_away(migration: Migration, before: ProjectState) -> Iterator[Finding]:
    """Yield what ``migration`` takes from the release before it. ``before`` is the state without it."""
    key = (migration.app_label, migration.name)
    state = before.clone()
    for operation in migration.operations:
        if isinstance(operation, _TAKES_AWAY):
            yield Finding(key, "takes-away", operation.describe())
        if isinstance(operation, operations.AlterField):
            old = state.models[migration.app_label, operation.model_name_lower].fields[operation.name]
            yield from (Finding(key, "narrows", words) for words in _narrower(operation, old))
        operation.state_forwards(migration.app_label, state)


def squawked(migrations: Sequence[Migration], folder: Path) -> list[Finding]:
    """Return what squawk finds in the SQL of ``migrations``, for the database that is connected (PostgreSQL).

    A table that a migration makes itself is empty, and nobody waits for it.
    """
    sql = {folder / f"{each.app_label}.{each.name}.sql": each for each in migrations}
    for path, each in sql.items():
        out = io.StringIO()
        call_command("sqlmigrate", each.app_label, each.name, stdout=out)
        path.write_text(re.sub(r"^(BEGIN|COMMIT);$", "", out.getvalue(), flags=re.MULTILINE))
    found = []
    for problem in _squawk([*sql]):
        path = Path(problem["file"])
        text = path.read_text()
        statement = text.splitlines()[problem["line"]]
        tables = set(_OF_TABLE.findall(statement))
        if not tables or tables - set(_CREATED.findall(text)):
            key = (sql[path].app_label, sql[path].name)
            found.append(Finding(key, problem["rule_name"], f"{problem['message']} {statement}"))
    return found


def excepted(finding: Finding) -> bool:
    """Say whether the migration may break that rule, for a reason that is written down."""
    return finding.rule in EXCEPTIONS.get(finding.migration, {})


def _squawk(paths: Sequence[Path]) -> list[dict[str, Any]]:
    beside = Path(sys.executable).parent / "squawk"
    program = str(beside) if beside.exists() else shutil.which("squawk") or unavailable("squawk is not installed")
    command = [program, "--config", ROOT / ".squawk.toml", "--reporter", "json", *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1) or not done.stdout.strip():
        raise AssertionError(f"squawk ended with {done.returncode}: {done.stderr}")
    problems: list[dict[str, Any]] = json.loads(done.stdout)
    return problems


def _narrower(operation: Any, old: Any) -> Iterator[str]:
    new, what = operation.field, operation.describe()
    if old.null and not new.null:
        yield f"{what}: it must not be empty any more"
    if type(old) is not type(new):
        yield f"{what}: its type is another"
    before, after = getattr(old, "max_length", None), getattr(new, "max_length", None)
    if after is not None and (before is None or after < before):
        yield f"{what}: it is shorter"
