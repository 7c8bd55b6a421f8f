from __future__ import annotations

from datetime import date

import pytest

from posts.planning.rules import Rule, RuleError


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=DAILY",
        "FREQ=DAILY;INTERVAL=3",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE,SU;WKST=SU",
        "FREQ=MONTHLY;BYMONTHDAY=-1",
        "FREQ=MONTHLY;BYDAY=2TU",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=YEARLY;BYDAY=20MO",
    ],
)
def test_a_rule_is_written_as_it_was_read(text: str) -> None:
    assert str(Rule.parse(text)) == text


def test_reads_what_people_paste() -> None:
    assert str(Rule.parse(" rrule:freq=weekly; byday=we,mo,we ;")) == "FREQ=WEEKLY;BYDAY=MO,WE"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no part of a rule"),
        ("every monday", "no part of a rule"),
        ("INTERVAL=2", "needs FREQ"),
        ("FREQ=SECONDLY", "needs FREQ"),
        ("FREQ=MINUTELY", "needs FREQ"),
        ("FREQ=HOURLY", "needs FREQ"),
        ("FREQ=DAILY;FREQ=DAILY", "stands twice"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL is 1 to 366"),
        ("FREQ=DAILY;INTERVAL=99999999999999999999", "INTERVAL is 1 to 366"),
        ("FREQ=DAILY;INTERVAL=٣", "INTERVAL is 1 to 366"),
        ("FREQ=YEARLY;INTERVAL=6", "INTERVAL is 1 to 5"),
        ("FREQ=DAILY;COUNT=5", "ends on a date"),
        ("FREQ=DAILY;UNTIL=20270101", "date of its own"),
        ("FREQ=DAILY;BYHOUR=1", "time of day"),
        ("FREQ=YEARLY;BYWEEKNO=1", "not supported"),
        ("FREQ=WEEKLY;BYDAY=1MO", "does not fit WEEKLY"),
        ("FREQ=MONTHLY;BYDAY=6MO", "does not fit MONTHLY"),
        ("FREQ=MONTHLY;BYDAY=0MO", "does not fit MONTHLY"),
        ("FREQ=WEEKLY;BYDAY=XX", "no day of the week"),
        ("FREQ=WEEKLY;BYDAY=", "no value"),
        ("FREQ=WEEKLY;BYMONTHDAY=3", "does not fit WEEKLY"),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "1 to 31"),
        ("FREQ=YEARLY;BYMONTH=-1", "1 to 12"),
        ("FREQ=MONTHLY;BYSETPOS=1", "name them"),
        ("FREQ=DAILY;BYDAY=MO;BYSETPOS=1", "MONTHLY and YEARLY only"),
        ("FREQ=DAILY;WKST=1", "WKST"),
        ("FREQ=DAILY;BYEASTER=1", "no part of a rule"),
        ("FREQ=MONTHLY;BYMONTHDAY=" + ",".join(["1"] * 400), "at most 500 characters"),
        ("\0", "no part of a rule"),
    ],
)
def test_what_a_post_cannot_repeat_by_is_refused_with_a_reason(text: str, said: str) -> None:
    with pytest.raises(RuleError, match=said):
        Rule.parse(text)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("FREQ=WEEKLY", "FREQ=WEEKLY;BYDAY=FR"),
        ("FREQ=MONTHLY", "FREQ=MONTHLY;BYMONTHDAY=31"),
        ("FREQ=YEARLY", "FREQ=YEARLY;BYMONTH=7;BYMONTHDAY=31"),
        ("FREQ=YEARLY;BYMONTH=3", "FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=31"),
        ("FREQ=DAILY", "FREQ=DAILY"),
        ("FREQ=WEEKLY;BYDAY=MO", "FREQ=WEEKLY;BYDAY=MO"),
    ],
)
def test_what_a_rule_leaves_to_its_first_day_is_named(text: str, whole: str) -> None:
    assert str(Rule.parse(text).completed(date(2026, 7, 31))) == whole
