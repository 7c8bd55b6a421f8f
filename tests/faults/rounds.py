"""How hard the tests of faults try: a little in ``make test``; long once, then often, in ``make faults``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "1"))
# Whether each test does as much as the table of faults asks for.
LONG = os.environ.get("FAULTS_LONG") == "1"
# Seconds since the epoch after which no further test is begun.
END_AT = float(os.environ.get("FAULTS_END_AT", "inf"))
# The file for what was injected and found, one JSON object a line.
LOG = os.environ.get("FAULTS_LOG", "")


def write(*, database: str, row: int | str | None, **said: Any) -> None:
    """Add a line to the log, if ``make faults`` keeps one: what was ``injected`` and how many ``times``, how a test
    ``ended`` after how many ``seconds``, or that it was ``left_out`` of its ``round`` for want of time."""
    if LOG:
        with Path(LOG).open("a") as log:
            log.write(json.dumps({"database": database, "row": row, **said}) + "\n")
