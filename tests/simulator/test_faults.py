from __future__ import annotations

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.faults import CATALOGUE, CATALOGUE_BY_NAME, MOMENTS, Layer, described, parse_planned
from streamer.errors import ConfigError

clocks = st.times().map(lambda time: f"{time:%H:%M:%S}")


@st.composite
def spellings(draw: st.DrawFn) -> str:
    """Return how any fault with any options it may have is written."""
    fault = draw(st.sampled_from(CATALOGUE))
    options = []
    for option in fault.options:
        whole = st.integers(int(option.least), int(option.most))
        part = st.floats(option.least, option.most, allow_nan=False)
        if draw(st.booleans()):
            value = draw(whole if isinstance(option.default, int) else part)
            options.append(f"{option.name}={value}")
    lasts = draw(st.none() | st.integers(1, 86_400))
    return (
        f"{fault.name}{':' if options else ''}{','.join(options)}@{draw(clocks)}"
        f"{'' if lasts is None else f'+{lasts}s'}"
    )


def test_every_fault_says_what_it_is() -> None:
    """Names are unique; summary, outcome and options are told, each option with a default."""
    assert len(CATALOGUE_BY_NAME) == len(CATALOGUE)
    for fault in CATALOGUE:
        assert fault.summary.endswith(".")
        assert fault.required.endswith(".")
        for option in fault.options:
            assert option.unit
            assert option.least <= option.default <= option.most


def test_the_catalogue_covers_each_layer() -> None:
    """Socket, WebSocket, frame, message and session."""
    assert {fault.layer for fault in CATALOGUE} == set(Layer)


@pytest.mark.parametrize("fault", CATALOGUE, ids=lambda fault: fault.name)
def test_a_name_and_a_time_are_enough(fault: object) -> None:
    """Every option has its default, every fault its usual length."""
    name = fault.name  # type: ignore[attr-defined]
    planned = parse_planned(f"{name}@09:15:30")
    assert planned.fault is fault
    assert planned.at_s == 9 * 3600 + 15 * 60 + 30
    assert planned.lasts_s == CATALOGUE_BY_NAME[name].lasts_s
    assert planned.options == {option.name: option.default for option in planned.fault.options}


def test_options_and_length_are_read() -> None:
    """As they are written, in units of the catalogue."""
    planned = parse_planned("drip:bytes=7, gap=20@10:00+2m")
    assert planned.options == {"bytes": 7, "gap": 20}
    assert planned.lasts_s == 120


@given(spellings())
def test_what_is_planned_is_written_as_it_is_read(text: str) -> None:
    """Reading, writing and reading again gives the same fault."""
    planned = parse_planned(text)
    again = str(planned)
    if planned.lasts_s:
        assert str(parse_planned(again)) == again


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("resett@09:16", ["'resett'", "reset", "odin-sim faults"]),
        ("close:cod=3@09:16", ["'cod'", "code"]),
        ("reset:code=3@09:16", ["'code'", "no options"]),
        ("close:code=x@09:16", ["'x'", "1000", "4999"]),
        ("close:code=1@09:16", ["'1'", "1000", "4999"]),
        ("close:code@09:16", ["'code'", "option=value"]),
        ("drop:share=2@09:16", ["'2'", "from 0.0 to 1.0"]),
        ("drop:share=nan@09:16", ["'nan'", "from 0.0 to 1.0"]),
        ("reset", ["'reset' without a time", "@HH:MM:SS"]),
        ("drop share=0.1@09:16", ["'drop share=0.1' as the name", "NAME[:option=value"]),
        ("drop+4s@09:16", ["'drop+4s' as the name", "@HH:MM:SS[+4s]"]),
        ("@09:16", ["'' as the name", "NAME"]),
        ("reset@25:00", ["'25:00'", "HH:MM:SS"]),
        ("reset@09:15:00+4x", ["'4x'", "4s"]),
        ("reset@09:15:00+0s", ["'0s'", "4s"]),
        ("", ["''", "NAME"]),
    ],
)
def test_what_cannot_be_read_is_told(text: str, words: list[str]) -> None:
    """With what was found, what was expected, and near names."""
    with pytest.raises(ConfigError) as refused:
        parse_planned(text)
    for word in words:
        assert word in str(refused.value)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """By one kind of error, whatever it is."""
    with suppress(ConfigError):
        assert str(parse_planned(text)).startswith(tuple(CATALOGUE_BY_NAME))


def test_a_fault_is_on_for_its_time() -> None:
    """From its second on, until it ends; a moment in its own second."""
    lasting = parse_planned("mute@09:15:00+4s")
    on = [second for second in range(86_400) if lasting.is_on(second)]
    assert on == list(range(33_300, 33_304))
    for name in MOMENTS:
        moment = parse_planned(f"{name}@09:15:00")
        assert [second for second in range(86_400) if moment.is_on(second)] == [33_300]


def test_programs_get_the_whole_catalogue() -> None:
    """Name, layer, summary, options with unit and default, and the outcome required."""
    entry = described(CATALOGUE_BY_NAME["drip"])
    assert list(entry) == ["name", "layer", "summary", "options", "required"]
    assert entry["options"] == [
        {"name": "bytes", "unit": "bytes at a time", "default": 64},
        {"name": "gap", "unit": "real milliseconds between them", "default": 1},
    ]
    assert msgspec.json.decode(msgspec.json.encode(entry)) == entry
