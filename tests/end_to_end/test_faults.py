"""Every fault of the catalogue against a real streaming server, on real sockets."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.control import LEDGER_LINES
from simulator.fault_plan import MAX_PLANNED
from simulator.faults import CATALOGUE, Fault
from simulator.ledger import KEPT
from tests.end_to_end.faults_page import PAGE, columns, outcomes_of, plan_for, render
from tests.end_to_end.faulty_feed import run_with

RECOVERY_S = 5.0


@pytest.mark.parametrize("fault", CATALOGUE, ids=lambda fault: fault.name)
async def test_a_server_survives(fault: Fault, tmp_path: Path) -> None:
    """It serves on, is right again soon, and its clients get right data or none."""
    outcome = await run_with([plan_for(fault)], tmp_path)
    begun = [line for line in outcome.ledger if line.get("phase") == "begins"]
    assert [line["fault"] for line in begun] == [str(plan_for(fault))]
    assert outcome.invented == []
    assert set(outcome.snapshots) == set(outcome.recorded[-2:])
    assert outcome.recovered_s < RECOVERY_S
    if fault.name not in ("duplicate", "reorder", "volume-falling"):
        assert outcome.order == "in order"
    row = outcomes_of(PAGE.read_text(encoding="utf-8"))[fault.name]
    assert columns(outcome.dials_again, bool(outcome.unusable), outcome.told) == row


async def test_without_a_fault_nothing_is_missing(tmp_path: Path) -> None:
    """The harness itself loses nothing, so that what is missing is the fault's doing."""
    outcome = await run_with([], tmp_path)
    assert outcome.is_complete
    assert not outcome.dials_again
    assert outcome.unusable == 0


async def test_the_ledger_holds_the_feed_to_account(tmp_path: Path) -> None:
    """Every update of a connection that subscribes is there, once, or told as lost."""
    fault = next(each for each in CATALOGUE if each.name == "drop")
    outcome = await run_with([plan_for(fault)], tmp_path)
    subscribed = next(line for line in outcome.ledger if line["what"] == "subscribe")
    told = [line for line in outcome.ledger if line["what"] in ("update", "lost")]
    assert [(str(line["token"]), line["ltp"] / 100) for line in told] == [
        (token, price) for token, _, price in outcome.recorded
    ]
    assert {line.get("connection") for line in told} == {subscribed["connection"], None}
    lost = [line for line in told if line["what"] == "lost"]
    assert len(lost) == len(outcome.recorded) - len(outcome.quotes)


def test_the_page_is_the_catalogues() -> None:
    """Every fault, option and outcome required is described as it is."""
    page = PAGE.read_text(encoding="utf-8")
    assert page == render(outcomes_of(page))
    assert set(outcomes_of(page)) == {fault.name for fault in CATALOGUE}
    assert f"latest {KEPT:,} lines" in page
    assert f"at most {LEDGER_LINES:,} lines" in page
    assert f"Up to {MAX_PLANNED:,} may be" in page
