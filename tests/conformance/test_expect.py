"""Checks on messages hold for what is right, and say in words what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.expect import (
    DATA_FIELDS,
    Unmet,
    expect_close_code,
    expect_data_shape,
    expect_equal,
    expect_error,
    expect_has,
    expect_in,
    expect_matches,
    expect_none_of,
    expect_order,
    expect_reply,
    expect_that,
    expect_tick,
    expect_type,
    shown,
)
from conformance.tape import METRONOME, Row, at

ROW = Row(
    ts=at("2025-09-04", "11:00:00.5"),
    stock=METRONOME,
    ltp=25_105,
    open=25_000,
    high=25_200,
    low=24_900,
    prev_close=25_000,
    volume=1234,
    week_52_high=28_750,
    week_52_low=21_250,
)


def quote(**changes: Any) -> dict[str, Any]:
    """Return a right market_data of ``ROW``, with changes in its data."""
    names = {"symbol": "WIPRO", "token": "3787", "exchange": "NSE"}
    data = {
        **names,
        "ltp": 251.05,
        "open": 250,
        "high": 252.0,
        "low": 249.0,
        "close": 250.0,
        "prev_close": 250.0,
        "volume": 1234,
        "percent_change": 0.42,
        "week_52_high": 287.5,
        "week_52_low": 212.5,
        "week_52_high_date": None,
        "week_52_low_date": None,
        "day_high": 252.0,
        "day_low": 249.0,
        "avg_volume_5d": None,
        "timestamp": ROW.ts // 1_000_000,
        "last_updated": "2025-09-04T11:00:00.500000000+05:30",
        "is_new_week_52_high": False,
        "is_new_week_52_low": False,
    }
    return {"type": "market_data", **names, "data": data | changes, "timestamp": 1, "seq": 3}


def test_a_right_quote_meets_everything() -> None:
    """The guide's form with the tape's figures passes, with a key of ours behind."""
    expect_data_shape(quote())
    expect_tick(quote(), ROW)


@pytest.mark.parametrize(
    "changes",
    [
        {"ltp": 251.06},
        {"ltp": "251.05"},
        {"close": 251.05},
        {"volume": 1233},
        {"percent_change": 0.0},
        {"percent_change": None},
        {"week_52_high": 252.0},
        {"day_low": 0},
    ],
)
def test_a_wrong_figure_is_unmet(changes: dict[str, Any]) -> None:
    """Each figure of a tick is held against the tape."""
    with pytest.raises(Unmet):
        expect_tick(quote(**changes), ROW)


@pytest.mark.parametrize("missing", DATA_FIELDS)
def test_a_missing_field_is_named(missing: str) -> None:
    """A market_data without one of the guide's fields names that field."""
    message = quote()
    del message["data"][missing]
    with pytest.raises(Unmet, match=missing):
        expect_data_shape(message)


@pytest.mark.parametrize("field", [name for name in DATA_FIELDS if name not in ("symbol",)])
def test_a_field_of_a_wrong_type_is_named(field: str) -> None:
    """A list is no value of any field."""
    with pytest.raises(Unmet, match=field):
        expect_data_shape(quote(**{field: []}))


def test_keys_in_another_order_are_unmet() -> None:
    """The guide's order is part of its form; more keys may only follow."""
    message = quote()
    message["data"] = {"seq": 1, **message["data"]}
    with pytest.raises(Unmet, match="order"):
        expect_data_shape(message)
    expect_order({"a": 1, "c": 2, "d": 3}, ("a", "b", "c"), of="it")
    with pytest.raises(Unmet):
        expect_order({"c": 2, "a": 1}, ("a", "b", "c"), of="it")


@pytest.mark.parametrize(
    ("value", "kinds"),
    [
        (1, {"an integer", "a number", "a number or null"}),
        (1.5, {"a number", "a number or null"}),
        (True, {"true or false"}),
        (None, {"null", "a number or null", "a string or null"}),
        ("x", {"a string", "a string or null"}),
        ([], {"a list", "a list of strings"}),
        ([1], {"a list"}),
        ({}, {"an object"}),
    ],
)
def test_types_are_json_types(value: object, kinds: set[str]) -> None:
    """Every value is of exactly those kinds; true is no number."""
    every = {
        "an integer", "a number", "a number or null", "true or false", "null", "a string",
        "a string or null", "a list", "a list of strings", "an object",
    }  # fmt: skip
    for kind in every:
        if kind in kinds:
            expect_type(value, kind, of="it")
        else:
            with pytest.raises(Unmet, match=kind):
                expect_type(value, kind, of="it")


def test_a_kind_that_is_unknown_is_an_error_of_the_suite() -> None:
    """A slip in a case is not the server's failure."""
    with pytest.raises(ValueError, match="strnig"):
        expect_type(1, "a strnig", of="it")


@pytest.mark.parametrize(
    "check",
    [
        lambda: expect_equal(1, True, of="it"),
        lambda: expect_equal(True, 1, of="it"),
        lambda: expect_equal(["a"], ["b"], of="it"),
        lambda: expect_in("c", ("a", "b"), of="it"),
        lambda: expect_matches("2025-9-4", r"\d{4}-\d\d-\d\d", of="it", like="2025-09-04"),
        lambda: expect_matches(None, ".*", of="it", like="x"),
        lambda: expect_has({"a": 1}, "a", "b"),
        lambda: expect_none_of([{"type": "market_data"}], "market_data"),
        lambda: expect_that(0, "something", "nothing"),
        lambda: expect_reply({"type": "pong", "status": "dead"}, "pong", "alive"),
        lambda: expect_reply({"type": "x", "status": "success", "code": "a"}, "x", code="b"),
        lambda: expect_error({"type": "error", "status": "error", "message": " "}),
        lambda: expect_error({"type": "error", "status": "error", "message": "a"}, text="b"),
        lambda: expect_close_code(None, 1000),
        lambda: expect_close_code((1006, ""), 1000, 1001),
    ],
)
def test_what_does_not_hold_is_unmet_in_words(check: Callable[[], None]) -> None:
    """Each check says what it expected and what it found."""
    with pytest.raises(Unmet) as caught:
        check()
    assert caught.value.expected
    assert caught.value.found


def test_what_holds_passes() -> None:
    """No check is stricter than its words."""
    expect_equal(250, 250.0, of="it")
    expect_in("a", ("a", "b"), of="it")
    expect_none_of([], "anything")
    expect_close_code((1012, "bye"), 1001, 1012)
    expect_error({"type": "error", "status": "error", "message": "m", "code": "c"}, code="c")
    assert expect_reply({"type": "pong", "status": "alive", "data": 7}, "pong", "alive") == 7


@given(st.recursive(st.none() | st.booleans() | st.text() | st.binary(), st.lists))
def test_anything_can_be_shown(value: object) -> None:
    """A message never fails for what it is about, and is never endless."""
    assert len(shown(value)) < 1000
