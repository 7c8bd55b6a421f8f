"""How hard the tests of faults try: once in ``make test``; often, and with more work, in ``make faults``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "1"))
LONG = ROUNDS > 1
# Seconds since the epoch after which no further round is begun.
END_AT = float(os.environ.get("FAULTS_END_AT", "inf"))
# The file for what was injected and found, one JSON object a line.
LOG = os.environ.get("FAULTS_LOG", "")


def write(*, database: str, row: int | str | None, **said: Any) -> None:
    """Add a line to the log, if ``make faults`` keeps one: what was ``injected`` and how many ``times``, or how a test
    ``ended`` after how many ``seconds``."""
    if LOG:
        with Path(LOG).open("a") as log:
            log.write(json.dumps({"database": database, "row": row, **said}) + "\n")
