"""docs/importing-legacy.md names the columns and the statuses that are read."""

from __future__ import annotations

from posts.services.legacy_reading import COLUMNS, STATUSES
from tests.site import ROOT

PAGE = (ROOT / "docs" / "importing-legacy.md").read_text()


def test_names_every_column_and_status_that_is_read() -> None:
    assert [name for names in COLUMNS.values() for name in names if f"`{name}`" not in PAGE] == []
    row = next(line for line in PAGE.splitlines() if line.startswith("| status |"))
    assert [name for names in STATUSES.values() for name in names if name not in row] == []
