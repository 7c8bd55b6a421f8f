"""How a log line looks: time, level, logger, message, then the record's extra fields as ``key=value``."""

from __future__ import annotations

import json
import logging
import time

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "request", "server_time"}


class FieldsFormatter(logging.Formatter):
    """Formats a record on one line, in UTC; a traceback follows where there is one.

    ``logger.info("job finished", extra={"job": 7, "outcome": "done"})`` ends in ``job finished job=7 outcome=done``.
    """

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 -- logging's own name
        """Return the line; line ends inside the message or a value are escaped, so that no value forges a line."""
        record.message = record.message.replace("\r", "\\r").replace("\n", "\\n")
        fields = (f"{name}={_quoted(value)}" for name, value in vars(record).items() if name not in _OWN)
        return " ".join([super().formatMessage(record), *fields])


def _quoted(value: object) -> str:
    """Return the value, in quotes where it would not read as one word."""
    text = str(value)
    plain = text.isprintable() and text and not any(sign in text for sign in ' "=')
    return text if plain else json.dumps(text, ensure_ascii=False)
