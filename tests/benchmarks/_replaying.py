"""
Whole replays as processes: the product's two halves, the pipeline's, and the whole program.

Each function runs once and returns figures; what is wrong with what arrived
ends the benchmark.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from streamer.native import SWITCH
from tests.benchmarks._adapter import Config
from tests.benchmarks._load import BUSIEST, NAP_US, Bench, Figures
from tests.benchmarks._machine import peak_bytes
from tests.benchmarks._streamer import ROOT
from tests.benchmarks._tape import check, instruments_of, prices_of
from tests.benchmarks.pacing import processor_s
from tests.simulator.tapes import OPEN, SECOND

REPLAY = [
    sys.executable, "-m", "simulator.cli", "replay", "--speed", "max", "--lossless",
    "--start-on", "subscribe", "--port", "0", "--feed-port", "0", "--control-port", "0",
]  # fmt: skip
BEFORE_NS = 5 * SECOND
"""A replay begins so long before the market opens, with the state of each instrument."""


@contextmanager
def process(
    command: list[str], environ: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run a command; it is killed in the end, if it has not ended."""
    found = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        env=environ,
    )
    try:
        yield found
    finally:
        found.kill()
        found.communicate()


def address(program: subprocess.Popen[str], what: str) -> str:
    """Return the address that a replay prints behind ``what``; the rest is read and dropped."""
    assert program.stdout is not None
    found = None
    for line in program.stdout:
        found = re.search(rf"{what}\s+(ws://[^\s?]+)", line)
        if found:
            break
    if not found:
        raise SystemExit("the replay did not start")
    threading.Thread(target=_drop, args=(program.stdout,), daemon=True).start()
    return found[1]


def _drop(stream: IO[str]) -> None:
    try:
        while stream.read(65536):
            pass
    except ValueError:
        # It was closed meanwhile.
        pass


def without_isal(folder: Path) -> dict[str, str]:
    """Return an environment in which isal is as if it were not installed."""
    hidden = folder / "hidden"
    hidden.mkdir(exist_ok=True)
    (hidden / "isal.py").write_text("raise ImportError('hidden')\n")
    return {**os.environ, "PYTHONPATH": str(hidden)}


def without_compiled() -> dict[str, str]:
    """Return an environment in which no compiled part runs."""
    return {**os.environ, SWITCH: "0"}


def product(
    folder: Path,
    tape: Path,
    rows: int,
    *,
    makes_json: bool,
    environ: Mapping[str, str] | None = None,
) -> Figures:
    """Replay through the feed and the adapter, each in a process."""
    with process([*REPLAY, "--feed-only", str(tape)], environ) as feed:
        config = Config(
            url=address(feed, "ODIN feed"),
            tape=str(tape),
            json=makes_json,
            instruments=instruments_of(tape),
        )
        path = folder / "adapter.json"
        path.write_bytes(msgspec.json.encode(config))
        before = processor_s(feed.pid)
        with process(
            [sys.executable, "-m", "tests.benchmarks._adapter", str(path)], environ
        ) as adapter:
            assert adapter.stdout is not None
            figures: Figures = _told(adapter.stdout.readline(), "the adapter")
        figures["feed_cpu_s"] = processor_s(feed.pid) - before
        figures["feed_peak_bytes"] = peak_bytes(feed.pid)
    if figures["rows"] != rows or figures["delivered"] != (rows if makes_json else 0):
        raise SystemExit(
            f"{rows:,} rows were replayed; {figures['rows']:,} came and"
            f" {figures['delivered']:,} messages were made"
        )
    return _per_second(figures)


def pipeline(tape: Path, rows: int) -> Figures:
    """Replay the first rows through the straightforward pipeline, two processes."""
    module = [sys.executable, "-m", "tests.benchmarks._pipeline"]
    with process([*module, "serve", str(tape), str(rows)]) as server:
        assert server.stdout is not None
        port = _told(server.stdout.readline(), "the pipeline")["port"]
        with process([*module, "follow", str(port)]) as client:
            assert client.stdout is not None
            figures = _told(client.stdout.readline(), "the pipeline")
    if figures["rows"] != rows:
        raise SystemExit(f"the pipeline sent {rows:,} rows and got {figures['rows']:,}")
    return _per_second(figures)


def whole_day(bench: Bench, day: Path) -> Figures:
    """Replay a day through the whole program to one client that subscribes to all of it."""
    folder = bench.folder
    instruments = instruments_of(day)
    stocks = [str(token) for token, _ in instruments]
    request = {"type": "request", "action": "subscribe", "stocks": stocks, "delivery": "all"}
    (folder / "requests").write_text(json.dumps(request) + "\n")
    sample = folder / "day.sample"
    with process([*REPLAY, "--db", str(folder / "day.db"), str(day)]) as program:
        port = address(program, "WebSocket clients").rpartition(":")[2].partition("/")[0]
        streamer = _child(program.pid)
        looks = {"feed": program.pid, "streamer": streamer}
        peaks = dict.fromkeys(looks, 0)
        command = [
            *bench.receiver(), "127.0.0.1", port, "1", str(folder / "requests"), "", str(sample),
            "-1", str(-NAP_US),
        ]  # fmt: skip
        with process(command) as receiver:
            assert receiver.stdout is not None
            done = threading.Event()

            def look() -> None:
                while not done.wait(0.1):
                    for name, pid in looks.items():
                        peaks[name] = max(peaks[name], peak_bytes(pid))

            looking = threading.Thread(target=look, daemon=True)
            looking.start()
            if receiver.stdout.readline() != "ready\n":
                raise SystemExit("the client was not answered")
            figures = _told(receiver.stdout.readline(), "the receiver")
            done.set()
            looking.join()
            receiver.wait(30)
    if figures["busy"] > BUSIEST:
        raise SystemExit(f"the receiver was busy {figures['busy']:.0%} of the time; expected less")
    if figures["disorder"] or figures["gaps"]:
        raise SystemExit(
            f"{figures['disorder']:,} updates were out of order, {figures['gaps']:,} are missing"
        )
    with sample.open("rb") as lines:
        whole = (line for line in lines if line.endswith(b"}\n"))
        figures["checked"] = check(whole, prices_of(day, OPEN - BEFORE_NS))
    sample.unlink()
    return figures | {f"{name}_peak_bytes": peak for name, peak in peaks.items()}


def first_updates(tape: Path) -> Figures:
    """Open a recording in a new process; return how long the first update takes, and memory."""
    with process([sys.executable, "-m", "tests.benchmarks._reading", str(tape)]) as reader:
        assert reader.stdout is not None
        return _told(reader.stdout.readline(), "the reader")


def _per_second(figures: Figures) -> Figures:
    rows = figures["rows"]
    return figures | {
        "rows_per_s": rows / figures["wall_s"],
        "us_a_row": figures["cpu_s"] / rows * 1e6,
        "feed_us_a_row": figures["feed_cpu_s"] / rows * 1e6,
    }


def _told(line: str, who: str) -> Figures:
    if not line:
        raise SystemExit(f"{who} ended too early")
    found: Figures = json.loads(line)
    return found


def _child(pid: int) -> int:
    """Return the streaming server that a replay has started."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found = children.read_text().split() if children.exists() else []
    for child in found:
        if b"serve" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    raise SystemExit("the replay has no streaming server")
