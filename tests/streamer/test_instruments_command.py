"""``odin-streamer instruments``: what it prints, writes and refuses, and how it ends."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streamer.cli import cli
from streamer.instrument_parquet import load_parquet
from tests.streamer import eod_samples
from tests.streamer import instrument_samples as samples


def invoke(*args: str | Path, env: dict[str, str] | None = None) -> Result:
    """Run the command in this process."""
    words = ["instruments", *map(str, args)]
    return CliRunner().invoke(cli, words, env=env, prog_name="odin-streamer")


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    """Return a folder with a list of each kind."""
    for kind, text in {**samples.EVERY_KIND, "equity-l": samples.EQUITY_L}.items():
        (tmp_path / kind).write_text(text)
    return tmp_path


def test_lists_become_one_file(lists: Path) -> None:
    """Each file is told with its kind and what it gave; the result is named with its counts."""
    out = lists / "instruments.parquet"
    done = invoke("import", lists / "udiff", lists / "nse-mii", lists / "shoonya", "-o", out)
    assert done.exit_code == 0, done.output
    assert f"{lists / 'udiff'}: UDiFF bhavcopy of NSE or BSE, 4 rows: 3 new" in done.output
    assert "1 passed over, of another market" in done.output
    assert "COLLISIONS" not in done.output
    assert "5 instruments written (NSE shares 3, NSE indices 1, BSE shares 1)" in done.output
    assert load_parquet(out)[0] == samples.ALPHA


def test_what_is_left_out_is_listed_and_counted(lists: Path) -> None:
    """Contradictions and unusable rows have their place, column, value and expectation."""
    odd = lists / "odd.csv"
    rows = "\n".join(f"NSE,101,OTHER{number}" for number in range(3))
    sound = "\n".join(f"NSE,{number},S{number}" for number in range(500, 510))
    odd.write_text(f"exchange,token,symbol\nNSE,x,BAD\n{rows}\n{sound}\n")
    out = lists / "out.parquet"
    done = invoke("import", lists / "own", odd, "-o", out, "--limit", "2")
    assert done.exit_code == 0
    assert "COLLISIONS (3): rows that contradict an earlier one" in done.output
    assert "and 1 that are not listed (--limit)" in done.output
    assert "UNUSABLE (1)" in done.output
    assert "odd.csv, line 2, column 'token', value 'x': it is no such number; expected" in (
        done.output
    )
    told = json.loads(invoke("import", lists / "own", odd, "-o", out, "--json").output)
    assert [each["collisions"] for each in told["files"]] == [0, 3]
    assert told["unusable"] == [
        {
            "file": str(odd),
            "line": 2,
            "column": "token",
            "value": "x",
            "problem": "it is no such number",
            "expected": "a whole number from 1 to 2147483647",
        }
    ]


def test_strict_writes_nothing_if_a_row_is_left_out(lists: Path) -> None:
    """A nightly job may insist on sound lists."""
    more = lists / "more.csv"
    more.write_text("exchange,token,symbol\nNSE,101,OTHER\nNSE,5,FIVE\n")
    out = lists / "out.parquet"
    done = invoke("import", lists / "own", more, "-o", out, "--strict")
    assert done.exit_code == 1
    assert "Nothing written, --strict: rows to be left out: 1" in done.output
    assert not out.exists()
    assert invoke("import", lists / "own", "-o", out, "--strict").exit_code == 0


def test_a_broken_file_leaves_the_earlier_result_alone(lists: Path) -> None:
    """Status 1, one line that says what and where, and nothing is written."""
    out = lists / "out.parquet"
    invoke("import", lists / "own", "-o", out)
    before = out.read_bytes()
    (lists / "broken").write_text(samples.MII + "105,ODD\n")
    done = invoke("import", lists / "own", lists / "broken", "-o", out)
    assert done.exit_code == 1
    assert "broken, line 5, column 'SctySrs', value 'ODD': 2 columns found; expected 10" in (
        done.output
    )
    assert out.read_bytes() == before


def test_search_shows_what_is_found(lists: Path) -> None:
    """A line for each, bounded; JSON for programs; status 1 when there is nothing."""
    out = lists / "out.parquet"
    invoke("import", lists / "udiff", lists / "udiff", lists / "nse-mii", "-o", out)
    done = invoke("search", "a&b", "--instruments", out)
    assert done.exit_code == 0
    assert done.output.splitlines()[1].split() == [
        *("NSE", "102", "A&B-C", "EQ", samples.BETA_ISIN),
        *("1", "0.10", "A&B-C", "LIMITED"),
    ]
    told = json.loads(invoke("search", "bajaj", "--json", "--limit", "1").output)
    assert (told["found"] > 1, len(told["instruments"])) == (True, 1)
    assert "and " in invoke("search", "bajaj", "--limit", "1").output
    nothing = invoke("search", "no", "such", "company")
    assert nothing.exit_code == 1
    assert "Nothing found for 'no such company'" in nothing.output


def shown(*args: str | Path) -> dict[str, Any]:
    """Return what ``show --json`` says of the first stock."""
    answer = json.loads(invoke("show", *args, "--json").output)
    first: dict[str, Any] = answer["instruments"][0]
    return first


def test_show_tells_who_it_is() -> None:
    """Identity, aliases, relatives, and the rule of the day for its price step."""
    who = shown("424", "--date", "2025-09-04")
    assert (who["symbol"], who["token"], who["segment"]) == ("ITC", "1660", 1)
    assert (who["label"], who["aliases"]) == ("ITC (NSE)", ["424"])
    assert who["relatives"] == [{"label": "ITC (BSE)", "token": "500875", "series": "A"}]
    assert (who["tick"], who["tick_rule"]["from"]) == (None, "2025-04-15")
    assert who["tick_rule"]["steps"][0] == [0.0, 0.01]
    assert shown("ITC", "--date", "2020-01-01")["tick_rule"]["steps"] == [[0.0, 0.05]]
    text = invoke("show", "424", "--date", "2025-09-04").output
    assert "by the rule of NSE from 2025-04-15: 0.01 from 0.00; 0.05 from 250.00;" in text


def test_a_rows_own_step_goes_before_the_rule(lists: Path) -> None:
    """The file of instruments says it, so no rule is shown; an index has neither."""
    out = lists / "out.parquet"
    invoke("import", lists / "shoonya", "-o", out)
    who = shown("ALPHA", "--instruments", out)
    assert (who["tick"], who["tick_rule"]) == (0.05, None)
    index = shown("NIFTY", "--instruments", out)
    assert (index["kind"], index["tick_rule"]) == ("index", None)


def test_show_tells_what_a_session_begins_with(tmp_path: Path) -> None:
    """From the files in the store, each figure with its source."""
    (tmp_path / "full.csv").write_bytes(
        eod_samples.full(date(2025, 12, 17), {"SBIN": (965.0, 970.5, 960.05, 967.4, 5_000)})
    )
    store = tmp_path / "sessions.db"
    arguments = ["eod", "import", "--db", str(store), str(tmp_path / "full.csv")]
    assert CliRunner().invoke(cli, arguments).exit_code == 0
    found = shown("SBIN", "--db", store, "--date", "2025-12-18")["reference"]
    assert (found["session"], found["prev_close"]) == ("2025-12-18", 967.4)
    assert found["sources"]["prev_close"]["file"] == "full.csv"
    text = invoke("show", "SBIN", "--db", store, "--date", "2025-12-18").output
    assert "prev. close   967.40 (full.csv for 2025-12-17)" in text
    broken = invoke("show", "SBIN", "--db", tmp_path / "full.csv")
    assert broken.exit_code == 1
    assert "expected a store of this server" in broken.output


def test_show_names_those_that_are_unknown() -> None:
    """The others are shown all the same; the status is 1."""
    done = invoke("show", "SBIN", "NOSUCH")
    assert done.exit_code == 1
    assert "SBIN (NSE)" in done.output
    assert "NOSUCH: no instrument is known by this" in done.output
    told = json.loads(invoke("show", "SBIN", "NOSUCH", "--json").output)
    assert told["failed_stocks"] == ["NOSUCH"]


def test_the_environment_gives_the_servers_files(lists: Path) -> None:
    """What the server is told of instruments, these commands are told as well."""
    env = {"ODIN_STREAMER_INSTRUMENTS": str(lists / "own")}
    assert invoke("show", "ALPHA", env=env).exit_code == 0
    assert invoke("show", "ALPHA").exit_code == 1


def test_a_file_that_cannot_be_used_is_named(lists: Path) -> None:
    """A list of a broker has to be imported first, and the error says so."""
    done = invoke("show", "SBIN", "--instruments", lists / "dhan")
    assert done.exit_code == 1
    assert "odin-streamer instruments import" in done.output


@pytest.mark.parametrize("command", ["import", "search", "show"])
def test_the_help_shows_examples_and_statuses(command: str) -> None:
    """Nobody has to look elsewhere."""
    text = invoke(command, "--help").output
    assert "Examples:" in text
    assert "Exit status:" in text
