"""How a log line looks: time, level, logger, message, then the record's extra fields as ``key=value``."""

from __future__ import annotations

import json
import logging
import time
from functools import lru_cache

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "request", "server_time"}


class FieldsFormatter(logging.Formatter):
    """Formats a record on one line, in UTC; a traceback follows where there is one.

    ``logger.info("job finished", extra={"job": 7, "outcome": "done"})`` ends in ``job finished job=7 outcome=done``.
    """

    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 -- logging's own name
        """Return the time of ``record``. A second's text is kept: a busy worker logs a thousand lines in one."""
        return self.default_msec_format % (_second(int(record.created)), record.msecs)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 -- logging's own name
        """Return the line; line ends inside the message or a value are escaped, so that no value forges a line."""
        record.message = record.message.replace("\r", "\\r").replace("\n", "\\n")
        line = super().formatMessage(record)
        own = vars(record)
        if own.keys() <= _OWN:
            return line
        return " ".join([line, *(f"{name}={_quoted(value)}" for name, value in own.items() if name not in _OWN)])


@lru_cache(maxsize=2)
def _second(moment: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))


def _quoted(value: object) -> str:
    """Return the value, in quotes where it would not read as one word."""
    text = str(value)
    plain = text.isprintable() and text and not any(sign in text for sign in ' "=')
    return text if plain else json.dumps(text, ensure_ascii=False)
