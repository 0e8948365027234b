from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.conversion import TICKS_OF_A_BAR, Converted, convert
from simulator.synth import recording_hash
from streamer.errors import ConfigError
from tests.simulator.parquet_files import DAY, TABLE, at, frame, opened
from tests.simulator.test_inspection import found

TICKS = """\
Timestamp,Symbol,LTP,Volume
2025-09-04 09:15:01,RELIANCE,1372.60,100
2025-09-04 09:15:00,SBIN,"1,810.05",50
2025-09-04 09:15:02,RELIANCE,1372.70,
"""

BARS = """\
Date,Time,Open,High,Low,Close,Volume
04-09-2025,09:15,100.00,101.00,99.50,100.50,10
04-09-2025,09:16,100.50,100.60,99.00,99.10,7
05-09-2025,09:15,99.00,99.00,99.00,99.00,4
"""


def converted(folder: Path, text: str, **options: object) -> Converted:
    """What becomes of a file."""
    source = folder / "in.csv"
    source.write_text(text)
    return convert(source, folder / "out.parquet", table=TABLE, **options)  # type: ignore[arg-type]


def test_ticks_become_rows_in_order_of_time(tmp_path: Path) -> None:
    """Each with its instrument and figures; what a line does not tell is null."""
    done = converted(tmp_path, TICKS)
    recording = opened(done.path)
    rows = frame(recording)
    assert (done.rows, done.lines, done.refused, done.made_from) == (3, 3, 0, "ticks")
    assert rows["ts"].to_list() == [at("09:15") + second * 10**9 for second in range(3)]
    symbols = [recording.instruments[recording.keys[i]].symbol for i in rows["instrument"]]
    assert symbols == ["SBIN", "RELIANCE", "RELIANCE"]
    assert rows["ltp"].to_list() == [181005, 137260, 137270]
    assert rows["volume"].to_list() == [50, 100, -1]
    assert recording.ignored_columns == ()
    assert recording.sealed == (True,)


def test_the_footer_says_what_it_was_made_from(tmp_path: Path) -> None:
    """The file with its hash, and the hash of the rows."""
    recording = opened(converted(tmp_path, TICKS).path)
    told = recording.metadata[0]
    assert (told["source"], told["made_from"], told["csv"]) == ("converted", "ticks", "in.csv")
    assert told["content_sha256"] == recording_hash(recording)
    assert told["lines_refused"] == 0
    assert "simulated" not in told


def test_a_bar_becomes_four_ticks(tmp_path: Path) -> None:
    """Low before high where it rose, high before low where it fell; marked in the footer."""
    done = converted(tmp_path, BARS, symbol="RELIANCE")
    rows = frame(opened(done.path))
    assert done.made_from == "ohlc-1m"
    assert opened(done.path).metadata[0]["made_from"] == "ohlc-1m"
    assert rows["ltp"].to_list() == [
        *(10000, 9950, 10100, 10050),
        *(10050, 10060, 9900, 9910),
        *(9900, 9900, 9900, 9900),
    ]
    minute, next_day = at("09:15"), at("09:15", date(2025, 9, 5))
    starts = (minute, minute + 60 * 10**9, next_day)
    assert rows["ts"].to_list() == [
        start + part * 15 * 10**9 for start in starts for part in range(4)
    ]
    assert rows["ltq"].to_list() == [2, 2, 2, 4, 1, 1, 1, 4, 1, 1, 1, 1]
    assert rows["volume"].to_list() == [2, 4, 6, 10, 11, 12, 13, 17, 1, 2, 3, 4]


@given(
    bars=st.lists(
        st.tuples(
            st.sampled_from([1, 2]),
            st.integers(0, 300),
            st.tuples(*[st.integers(100, 120) for _ in range(4)]),
            st.integers(0, 50),
        ),
        min_size=1,
        max_size=25,
        unique_by=lambda bar: bar[:2],
    )
)
@settings(max_examples=40, deadline=None)
def test_bars_can_be_read_from_their_ticks(
    tmp_path_factory: pytest.TempPathFactory,
    bars: list[tuple[int, int, tuple[int, ...], int]],
) -> None:
    """Open, high, low, close and volume of each bar, whatever the order of the lines."""
    symbols = {1: "RELIANCE", 2: "SBIN"}
    lines = ["datetime,symbol,o,h,l,c,v"]
    for number, minute, (a, b, c, d), volume in bars:
        clock = f"2025-09-04 {10 + minute // 60}:{minute % 60:02d}"
        bar = (a, max(a, b, c, d), min(a, b, c, d), d)
        lines.append(f"{clock},{symbols[number]},{','.join(map(str, bar))},{volume}")
    done = converted(tmp_path_factory.mktemp("bars"), "\n".join(lines))
    recording = opened(done.path)
    assert recording.rows == TICKS_OF_A_BAR * len(bars)
    rows = frame(recording).to_dicts()
    for number, minute, (a, b, c, d), volume in bars:
        instrument = [i.symbol for i in recording.instruments.values()].index(symbols[number])
        start = at("10:00") + minute * 60 * 10**9
        mine = [row for row in rows if row["instrument"] == instrument and row["ts"] >= start][:4]
        prices = [row["ltp"] for row in mine]
        assert (prices[0], prices[-1]) == (a * 100, d * 100)
        assert (max(prices), min(prices)) == (max(a, b, c, d) * 100, min(a, b, c, d) * 100)
        assert sum(row["ltq"] for row in mine) == volume
    day = [row for row in rows if row["instrument"] == rows[-1]["instrument"]]
    assert day[-1]["volume"] == sum(row["ltq"] for row in day)


@given(
    lines=st.lists(
        st.tuples(
            st.sampled_from(["2025-09-04 09:15:00", "soon", "1756957500", ""]),
            st.sampled_from(["RELIANCE", "NONSUCH", "2885", "", "NSE:SBIN", "sbin-eq"]),
            st.sampled_from(["1372.6", "-1", "x", "", "1372.605", "1,372.60"]),
            st.sampled_from(["10", "", "1.5", "x"]),
        ),
        min_size=1,
        max_size=12,
    )
)
@settings(max_examples=60, deadline=None)
def test_whatever_the_lines_a_recording_can_be_opened_or_is_not_made(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, str, str, str]]
) -> None:
    """Every line is converted or refused with its number, and what is written has no errors."""
    folder = tmp_path_factory.mktemp("lines")
    quoted = [",".join(f'"{cell}"' if "," in cell else cell for cell in line) for line in lines]
    text = "\n".join(["time stamp,symbol,ltp,volume", *quoted])
    whole = [number for number, line in enumerate(lines, 2) if any(line)]
    try:
        done = converted(folder, text, limit=100)
    except ConfigError:
        assert not (folder / "out.parquet").exists()
        return
    assert {each.kind for each in found(done.path)} <= {"duplicate", "falling-volume"}
    refused = [each.line for each in done.refusals]
    assert refused == sorted(set(refused))
    assert set(refused) <= set(whole)
    assert done.lines + done.refused == len(whole)
    assert opened(done.path).rows == done.lines


def test_refused_lines_are_named(tmp_path: Path) -> None:
    """With column, value and what was expected; blank lines count, and are no lines."""
    text = TICKS + "\n2025-09-04 09:15:03,NONSUCH,5,1\n2025-09-04 09:15:04,SBIN,1.005,1\n"
    done = converted(tmp_path, text)
    assert [each[:3] for each in done.refusals] == [(6, "Symbol", "NONSUCH"), (7, "LTP", "1.005")]
    assert "--instruments" in done.refusals[0].expected
    assert "rupees and paise" in done.refusals[1].expected
    assert (done.refused, done.rows) == (2, 3)


def test_bars_that_are_none_are_refused(tmp_path: Path) -> None:
    """A high below the close, a low above the open."""
    text = BARS.replace("101.00", "100.40").replace("99.00,99.10", "100.55,99.10")
    done = converted(tmp_path, text, symbol="RELIANCE")
    assert [(each.line, each.column) for each in done.refusals] == [(2, "High"), (3, "Low")]


@pytest.mark.parametrize(
    ("text", "options", "complaint"),
    [
        ("", {}, "found no CSV"),
        ("a,b\n1,2\n", {}, "no column ltp, no column timestamp"),
        ("timestamp,ltp\n2025-09-04 09:15,1\n", {}, "no column symbol or token"),
        ("timestamp,symbol,ltp\nsoon,SBIN,1\n", {}, "no line can be used\nline 2, column"),
        ("time,ltp\n09:15,1\n", {"symbol": "SBIN"}, "needs --date"),
        ("date,open,high,low,close\n2025-09-04,1,1,1,1\n", {"symbol": "SBIN"}, "no line can"),
        (TICKS, {"shape": "ohlc"}, "no column open"),
        (BARS, {"shape": "ticks", "symbol": "SBIN"}, "no column ltp"),
        (
            BARS.replace("09:16", "09:15").replace(
                "04-09-2025,09:15,100.5", "06-09-2025,09:15,100.5"
            ),
            {"symbol": "SBIN"},
            "24 hours long",
        ),
    ],
)
def test_files_that_make_no_sense(
    tmp_path: Path, text: str, options: dict[str, object], complaint: str
) -> None:
    """The message says what was found and what was expected; nothing is written."""
    with pytest.raises(ConfigError) as refused:
        converted(tmp_path, text, **options)
    assert complaint in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_times_may_lack_their_date_and_lines_their_instrument(tmp_path: Path) -> None:
    """Then the options give them, exchange and zone too."""
    text = "time,price,qty\n03:45:00,1372.60,5\n"
    done = converted(tmp_path, text, day=DAY, symbol="RELIANCE", exchange="BSE", zone="UTC")
    recording = opened(done.path)
    assert recording.start == at("09:15")
    assert list(recording.instruments) == [(3, 500325)]
    assert frame(recording)["ltq"].to_list() == [5]


def test_close_beside_a_price_is_the_previous_days(tmp_path: Path) -> None:
    """As the feeds call it; alone it is the price."""
    beside = converted(tmp_path, "ts,symbol,ltp,close\n1756957500,SBIN,810,800.5\n")
    assert frame(opened(beside.path))["prev_close"].to_list() == [80050]
    alone = converted(tmp_path, "ts,symbol,close\n1756957500,SBIN,810\n")
    assert frame(opened(alone.path))["ltp"].to_list() == [81000]


def test_it_is_told_what_is_done(tmp_path: Path) -> None:
    """Step by step, as long as the file may be."""
    steps: list[str] = []
    converted(tmp_path, TICKS, on_step=steps.append)
    assert steps == [
        "reading the lines",
        "reading the times of 3 lines",
        "telling the instruments",
        "reading prices and volumes",
        "writing the recording",
    ]


def test_only_headers_of_the_file_are_named(tmp_path: Path) -> None:
    """What was given on the command line is no header of it."""
    with pytest.raises(ConfigError, match=r"its headers are a, b$"):
        converted(tmp_path, "a,b\n1,2\n", symbol="SBIN", exchange="NSE")
