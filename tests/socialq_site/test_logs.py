from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

from socialq_site.logs import FieldsFormatter


def line(message: str, **fields: object) -> str:
    record = logging.LogRecord("socialq.queue", logging.INFO, "file.py", 1, message, (), None)
    record.created = datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC).timestamp()
    record.msecs = 7
    vars(record).update(fields)
    return FieldsFormatter().format(record)


def test_a_line_has_time_level_logger_message_and_fields() -> None:
    assert line("job finished", job=7, outcome="done") == (
        "2026-03-01T12:30:05.007Z INFO socialq.queue job finished job=7 outcome=done"
    )


def test_values_that_are_no_single_word_are_quoted() -> None:
    assert line("m", a="two words", b="", c="x=y").endswith(' m a="two words" b="" c="x=y"')


def test_no_value_and_no_message_forges_a_line() -> None:
    text = line("first\nsecond", error="a\r\nb")
    assert text.endswith(r'first\nsecond error="a\r\nb"')
    assert "\n" not in text


def test_a_traceback_follows_its_line() -> None:
    try:
        int("broken")
    except ValueError:
        text = line("job failed", exc_info=sys.exc_info(), job=7)
    assert text.splitlines()[0].endswith("job failed job=7")
    assert text.splitlines()[-1] == "ValueError: invalid literal for int() with base 10: 'broken'"
