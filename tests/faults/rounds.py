"""How hard the tests of faults try: once in ``make test``, ``FAULT_ROUNDS`` times in ``make faults``."""

from __future__ import annotations

import os

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "1"))
# Seconds since the epoch after which no further round is begun.
END_AT = float(os.environ.get("FAULTS_END_AT", "inf"))
# The file for what was injected and found, one JSON object a line.
LOG = os.environ.get("FAULTS_LOG", "")
