"""Arguments that no database stores or no handler takes are refused before a job is written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Literal, Optional
from uuid import UUID

import pytest
from django.utils.functional import lazy, lazystr
from hypothesis import given
from hypothesis import strategies as st

from queue_app import arguments, registry
from queue_app.arguments import MAX_ARGS_BYTES, InvalidArguments
from queue_app.registry import JobType
from tests.queue_app.jobs import Register

if TYPE_CHECKING:
    from nowhere import Unknown  # type: ignore[import-not-found]  # an annotation that is not to be had at run time


def everything(
    context: Any,
    number: int,
    text: str = "",
    flag: bool = False,
    share: float = 0.0,
    many: list[int] = [],  # noqa: B006 -- only its annotation is read
    named: dict[str, Any] | None = None,
    maybe: Optional[int] = None,  # noqa: UP045 -- people write it so
    mode: Literal["fast", 1] = 1,
    nothing: None = None,
    anything: Unknown = None,
    at: datetime | None = None,
    either: int | str = 0,
) -> None: ...


@pytest.fixture
def kind(register: Register) -> JobType:
    return registry.get(register(everything))


class Size(IntEnum):
    SMALL = 1


@pytest.mark.parametrize(
    "args",
    [
        {"text": "é😀"},
        {"text": UUID(int=1)},
        {"text": date(2030, 1, 1)},
        {"text": Decimal("1.5")},
        {"text": timedelta(1)},
        {"flag": True},
        {"share": 1},
        {"share": 1.5},
        {"many": (1, 2)},
        {"named": {"a": [None]}},
        {"named": None},
        {"maybe": 3},
        {"mode": "fast"},
        {"nothing": None},
        {"anything": {"a": 1}},
        {"at": datetime(2030, 1, 1, tzinfo=UTC)},
        {"either": "a"},
        {"number": Size.SMALL},
        {"number": 2**63 - 1},
    ],
)
def test_arguments_that_fit_are_taken(kind: JobType, args: dict[str, Any]) -> None:
    arguments.check(kind, {"number": 1, **args})


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        ({}, "no 'number'"),
        ({"number": 1, "nmber": 2}, "unexpected 'nmber'"),
        ({"number": 1, "context": 2}, "unexpected 'context'"),
        ({"number": True}, "another bool for number"),
        ({"number": "1"}, "another str for number"),
        ({"number": 1.0}, "another float for number"),
        ({"number": None}, "another NoneType for number"),
        ({"number": 1, "text": 1}, "another int for text"),
        ({"number": 1, "flag": 1}, "another int for flag"),
        ({"number": 1, "share": True}, "another bool for share"),
        ({"number": 1, "many": "12"}, "another str for many"),
        ({"number": 1, "named": []}, "another list for named"),
        ({"number": 1, "maybe": "3"}, "another str for maybe"),
        ({"number": 1, "mode": "slow"}, "another str for mode"),
        ({"number": 1, "mode": True}, "another bool for mode"),
        ({"number": 1, "nothing": 0}, "another int for nothing"),
        ({"number": 1, "either": 1.5}, "another float for either"),
        ([1], "a list instead of a dict"),
        (None, "a NoneType instead of a dict"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_with_what_is_wrong(kind: JobType, args: Any, problem: str) -> None:
    with pytest.raises(InvalidArguments) as caught:
        arguments.check(kind, args)
    assert caught.value.problems == (problem,)
    assert str(caught.value).startswith("tests.job expects number: int, text: str (optional), ")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (float("nan"), "nan at text"),
        ([1, {"a": float("-inf")}], "-inf at text[1].a"),
        ({1, 2}, "a set, which is no JSON, at text"),
        (b"x", "a bytes, which is no JSON, at text"),
        ({"a": object()}, "a object, which is no JSON, at text.a"),
        ({1: "a"}, "the key 1 at text, which is no plain text"),
        ({"a\0": 1}, "the key 'a\\x00' at text, which is no plain text"),
        ("a\0b", "text with NUL or a lone surrogate at text"),
        ([lazystr("a\0b")], "text with NUL or a lone surrogate at text[0]"),
        (["\ud800"], "text with NUL or a lone surrogate at text[0]"),
        (2**63, "an integer beyond 64 bit at text"),
        (-(2**63) - 1, "an integer beyond 64 bit at text"),
    ],
)
def test_what_a_database_would_refuse_is_refused_with_its_place(register: Register, value: Any, problem: str) -> None:
    open_type = registry.get(register(lambda context, **args: None))
    with pytest.raises(InvalidArguments) as caught:
        arguments.check(open_type, {"text": value})
    assert caught.value.problems == (problem,)


def test_large_deep_and_endless_arguments_are_refused(register: Register) -> None:
    open_type = registry.get(register(lambda context, **args: None))
    arguments.check(open_type, {"a": "x" * (MAX_ARGS_BYTES - 10)})
    with pytest.raises(InvalidArguments, match=r"262153 bytes of JSON \(at most 262144\): store large data and pass"):
        arguments.check(open_type, {"a": "x" * (MAX_ARGS_BYTES)})
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(InvalidArguments, match="more than 50 levels at a"):
        arguments.check(open_type, {"a": endless})
    with pytest.raises(InvalidArguments, match="what is no JSON: JSON can't represent timezone-aware times"):
        arguments.check(open_type, {"a": datetime(2030, 1, 1, tzinfo=UTC).timetz()})
    with pytest.raises(InvalidArguments, match="what is no JSON: invalid literal for int"):
        arguments.check(open_type, {"a": lazy(lambda: str(int("x")), str)()})


def test_no_value_is_in_the_error(kind: JobType) -> None:
    with pytest.raises(InvalidArguments) as caught:
        arguments.check(kind, {"number": "s3cret", "text": 7, "x" * 500: "s3cret"})
    assert "s3cret" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_the_error_of_the_documentation(register: Register) -> None:
    def publish(context: Any, delivery_id: int) -> None: ...

    kind = registry.get(register(publish, name="tests.publish"))
    with pytest.raises(
        ValueError, match=r"^tests.publish expects delivery_id: int; got unexpected 'delivery', no 'delivery_id'$"
    ):
        arguments.check(kind, {"delivery": 7})


def test_a_handler_that_takes_anything_and_one_that_takes_nothing(register: Register) -> None:
    anything: Callable[..., None] = lambda job, /, **args: None  # noqa: E731 -- as short as handlers get
    arguments.check(registry.get(register(anything, name="tests.anything")), {"job": 1, "context": 2})
    with pytest.raises(InvalidArguments, match=r"tests.nothing expects no arguments; got unexpected 'a'"):
        arguments.check(registry.get(register(lambda context: None, name="tests.nothing")), {"a": 1})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(value=JSON)
def test_what_passes_is_json_that_says_the_same(value: Any) -> None:
    import json

    try:
        text = arguments.check_json("tests.job", "a", value)
    except InvalidArguments:
        return
    assert json.loads(text) == value
    assert "\\u0000" not in text.replace("\\\\", "")
