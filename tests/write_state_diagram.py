"""Writes docs/states.md from the transition table: ``python -m tests.write_state_diagram``."""

from __future__ import annotations

from pathlib import Path

import django

PAGE = """# States of a job

Generated from `queue_app/states.py`; a test fails when the two differ. A job is *marked* when its irreversible step
is about to begin: from then on it can only end as completed, failed or uncertain.

```mermaid
{diagram}```
"""


def main() -> None:
    """Write the page."""
    django.setup()
    from queue_app import states

    (Path(__file__).parents[1] / "docs" / "states.md").write_text(PAGE.format(diagram=states.diagram()))


if __name__ == "__main__":
    main()
