"""
The ratios to peers that must not be lost again: half-way between 1 and the goal, or what is held
while others use the machine.

Processor time is compared, not the clock's, and the best of some tries counts,
so that a busy machine does not fail them. Each try checks besides that every
message arrives, in order.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.benchmarks import _replaying, _tape
from tests.benchmarks._load import PRODUCT, Bench, Figures, TooBusy
from tests.benchmarks._machine import resident_bytes
from tests.benchmarks._streamer import allow_many_sockets
from tests.benchmarks._workload import Workload
from tests.benchmarks.lookup import measure as measure_lookups
from tests.benchmarks.memory import KB, slope, the_product

TRIES = 5
SECONDS = 0.25
LONGER = 0.5
"""The system counts in hundredths of a second what a process does itself."""

LEAST_S = 0.01
ROWS = 50_000
MOST_KB = 17.0
"""Of memory for an idle connection; what else the machine does is nothing to it."""

pytestmark = [
    pytest.mark.skipif(shutil.which("cc") is None, reason="the receiver is made with a C compiler"),
    pytest.mark.xdist_group("benchmarks"),
    # Five tries on a machine that does other things.
    pytest.mark.timeout(400),
]


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """Return what runs need."""
    with Bench.open() as found:
        yield found


def best(ratio: Callable[[], float], wanted: float) -> float:
    """Return the first ratio of some tries that is as wanted, else the best."""
    found: list[float] = []
    for _ in range(TRIES):
        try:
            found.append(ratio())
        except TooBusy:
            continue
        if found[-1] >= wanted:
            return found[-1]
    if not found:
        pytest.skip("others take the receiver's core")
    return max(found)


def same_for_all(burst: int) -> Workload:
    """Return a load of which each of 100 clients gets everything."""
    return Workload(clients=100, burst=burst, instruments=burst, subscribed=burst, seconds=SECONDS)


def times(bench: Bench, peer: str, workload: Workload, cost: Callable[[Figures], float]) -> float:
    """Return how many times what a message costs us it costs a peer."""
    theirs = cost(bench.measure(peer, workload))
    return theirs / cost(bench.measure(PRODUCT, workload))


def cpu_us(figures: Figures) -> float:
    """Return the processor time of a message."""
    return float(figures["us_per_message"])


def own_us(figures: Figures) -> float:
    """Return the part of it that is the server's own."""
    return float(max(figures["user_s"], LEAST_S) / figures["received"] * 1e6)


def test_bursts_cost_a_fraction_of_what_they_cost_broadcast(bench: Bench) -> None:
    """A burst of 8 updates to 100 clients takes websockets.broadcast 5.5 times the time."""
    assert best(lambda: times(bench, "broadcast", same_for_all(8), cpu_us), 5.5) >= 5.5


def test_a_single_update_costs_less_than_broadcast_outside_the_system(bench: Bench) -> None:
    """One update to 500 clients takes broadcast 1.6 times the time that is not the system's."""
    workload = Workload(clients=500, burst=1, instruments=1, subscribed=1, seconds=LONGER)
    assert best(lambda: times(bench, "broadcast", workload, own_us), 1.6) >= 1.6


def test_subscriptions_of_their_own_cost_a_fraction_of_broadcast(bench: Bench) -> None:
    """200 clients with 200 of 2,000 instruments each take broadcast 2.7 times the time."""
    workload = Workload(clients=200, burst=64, instruments=2000, subscribed=200, seconds=SECONDS)
    assert best(lambda: times(bench, "broadcast", workload, cpu_us), 2.7) >= 2.7


def test_a_replay_is_times_a_straightforward_pipeline(tmp_path: Path) -> None:
    """Reading the feed takes a pipeline 4.5 times our processor time, 2.7 with messages made."""
    tape = _tape.write(tmp_path / "tape.parquet", ROWS, 500)

    def ratio() -> float:
        """Return how far both are above what is wanted; 1 is as wanted."""
        theirs: float = _replaying.pipeline(tape, ROWS // 5)["us_a_row"]
        found: list[float] = []
        for makes_json, wanted in ((True, 2.7), (False, 4.5)):
            ours = _replaying.product(tmp_path, tape, ROWS, makes_json=makes_json)
            found.append(theirs / ours["us_a_row"] / wanted)
        return min(found)

    assert best(ratio, 1.0) >= 1.0


def test_a_symbol_is_found_as_fast_as_a_token() -> None:
    """No look-up of one kind takes 1.3 times that of the other."""

    def ratio() -> float:
        ns = measure_lookups(1, quick=True)
        return min(ns["token"], ns["symbol"]) / max(ns["token"], ns["symbol"])

    assert best(ratio, 1 / 1.3) >= 1 / 1.3


def test_an_idle_connection_keeps_little() -> None:
    """A connection with 50 stocks adds no more than 17 KB to the server's process."""
    with the_product() as (pid, port):
        if not resident_bytes(pid):
            pytest.skip("this system does not tell how much memory a process holds")
        allow_many_sockets()
        assert slope(pid, port) / KB <= MOST_KB
