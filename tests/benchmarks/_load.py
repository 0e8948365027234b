"""
One run of one server against the receiver: started, loaded, checked, measured.

The server has one core to itself and the receiver another, where the machine
has two. The receiver is a C program (`_receiver.c`), compiled into a temporary
folder; without a C compiler it is `_receiver.py`, which is slow enough to be
the bottleneck of the faster servers: such a run is refused.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import msgspec

from tests.benchmarks._servers import Config
from tests.benchmarks._workload import (
    Workload,
    check_newest,
    check_transcript,
    requests,
    write_heads,
)

HERE = Path(__file__).parent
NODE_MODULES = HERE.parent / "guide" / "node_modules"
PRODUCT = "odin-streamer"
WITH_UVLOOP = f"{PRODUCT}, uvloop"
BUSIEST = 0.9
"""A receiver that is busy for a greater share of the time is what was measured."""

TRIES = 3
"""How often a run is made again whose receiver was too busy: others may have had its core."""

NAP_US = 500
STAMP_BYTES = 8

Figures = dict[str, Any]


class TooBusy(SystemExit):
    """The receiver was the bottleneck."""


class Bench:
    """A folder with what runs need, while the benchmark lasts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cc = next((c for c in ("cc", "gcc", "clang") if shutil.which(c)), None)
        if self.cc is None:
            print("no C compiler: the receiver is in Python and slow", file=sys.stderr)
            return
        for name in ("receiver", "sender"):
            source = str(HERE / f"_{name}.c")
            subprocess.run([self.cc, "-O2", "-o", str(folder / name), source], check=True)

    @classmethod
    @contextmanager
    def open(cls) -> Iterator[Bench]:
        """Make the folder, and remove it in the end."""
        with tempfile.TemporaryDirectory(prefix="odin-benchmark-") as folder:
            yield cls(Path(folder))

    def variants(self) -> list[str]:
        """Return which servers this machine can run."""
        found = [PRODUCT, "broadcast", "naive"]
        if find_spec("uvloop"):
            found.append(WITH_UVLOOP)
        if self.cc:
            found.append("C")
        if shutil.which("node") and (NODE_MODULES / "ws").is_dir():
            found.append("node ws")
        return found

    def measure(
        self,
        variant: str,
        workload: Workload,
        *,
        nap_us: int = NAP_US,
        still: int = -1,
        delivery: str | None = None,
        compression: str | None = None,
    ) -> Figures:
        """
        Run a server once; return its figures and the receiver's.

        Raises:
            SystemExit: If a message was lost, twice there, out of order or
                wrong, or if the receiver was the bottleneck.

        """
        folder = self.folder
        heads, stamps, sample = folder / "heads", folder / "stamps", folder / "sample"
        bytes_each = write_heads(heads, workload.instruments)
        with stamps.open("wb") as file:
            file.truncate(workload.max_turns * STAMP_BYTES)
        (folder / "requests").write_text(
            "".join(f"{line}\n" for line in requests(workload, delivery=delivery))
        )
        config = Config(workload, str(heads), str(stamps), compression)
        (folder / "config").write_bytes(msgspec.json.encode(config))
        with _process(self._server(variant, workload), core=0) as server:
            port = _read(server)["port"]
            told = str(stamps) if workload.burst == workload.instruments else ""
            command = [
                *self.receiver(), "127.0.0.1", str(port), str(workload.clients),
                str(folder / "requests"), told, str(sample), str(still), str(nap_us),
                str(int(compression is not None)),
            ]  # fmt: skip
            with _process(command, core=1) as receiver:
                _expect_line(receiver, "ready")
                _tell(server)
                figures = _read(server)
                if still >= 0:
                    _tell(receiver)
                if not workload.lossless:
                    _tell(server)
                if is_ours(variant):
                    figures |= _read(server)
                received = _read(receiver)
                receiver.wait(30)
        figures |= received
        figures["bytes_each"] = bytes_each
        self._check(variant, workload, figures, sample, still)
        figures["messages_per_s"] = figures["received"] / figures["wall_s"]
        figures["us_per_message"] = figures["cpu_s"] / figures["received"] * 1e6
        return figures

    def measure_again(self, variant: str, workload: Workload, **how: Any) -> Figures:
        """Run a server once, and again if the receiver had no time for it."""
        for _ in range(TRIES - 1):
            try:
                return self.measure(variant, workload, **how)
            except TooBusy as error:
                print(f"{error}; once more", file=sys.stderr)
        return self.measure(variant, workload, **how)

    def rounds(
        self, variants: Sequence[str], workload: Workload, count: int, **how: Any
    ) -> dict[str, Figures]:
        """Run each server so often, in another order each time; return the medians."""
        found: dict[str, list[Figures]] = {variant: [] for variant in variants}
        for number in range(count):
            order = list(variants)
            random.Random(number).shuffle(order)
            for variant in order:
                found[variant].append(self.measure_again(variant, workload, **how))
        return {variant: medians(runs) for variant, runs in found.items()}

    def _server(self, variant: str, workload: Workload) -> list[str]:
        folder = str(self.folder)
        given = [
            str(workload.clients), str(workload.burst), f"{folder}/heads",
            str(workload.turns_per_s), str(workload.seconds), f"{folder}/stamps",
        ]  # fmt: skip
        if variant == "C":
            return [f"{folder}/sender", *given]
        if variant == "node ws":
            return ["node", str(HERE / "_sender.js"), str(NODE_MODULES / "ws"), *given]
        name = {PRODUCT: "product", WITH_UVLOOP: "product-uvloop"}.get(variant, variant)
        return [sys.executable, "-m", "tests.benchmarks._servers", name, f"{folder}/config"]

    def receiver(self) -> list[str]:
        """Return the command of the receiver, without its arguments."""
        if self.cc:
            return [str(self.folder / "receiver")]
        return [sys.executable, str(HERE / "_receiver.py")]

    def _check(
        self, variant: str, workload: Workload, figures: Figures, sample: Path, still: int
    ) -> None:
        turns: int = figures["turns"]
        busy: float = figures["busy"]
        if busy > BUSIEST:
            raise TooBusy(
                f"{variant}: the receiver was busy {busy:.0%} of the time; expected {BUSIEST:.0%}"
                " or less, as more measures the receiver"
            )
        if figures["disorder"]:
            raise SystemExit(f"{variant}: {figures['disorder']:,} messages went back in time")
        if workload.lossless and figures["gaps"]:
            raise SystemExit(
                f"{variant}: {figures['gaps']:,} updates of the sample client are lost"
            )
        if workload.is_same_for_all:
            sent = turns * workload.burst
            if (figures["least"], figures["most"]) != (sent, sent):
                raise SystemExit(
                    f"{variant}: each client was sent {sent:,} messages and got"
                    f" {figures['least']:,} to {figures['most']:,}"
                )
        if still < 0 and figures.get("delivered", figures["received"]) != figures["received"]:
            raise SystemExit(
                f"{variant}: {figures['delivered']:,} were delivered, {figures['received']:,} came"
            )
        figures["checked"] = check_transcript(sample, workload, turns, told=is_ours(variant))
        if still >= 0 and is_ours(variant):
            newest = dict.fromkeys(workload.symbols(still), turns)
            check_newest(sample.with_name("sample.still"), newest)


def is_ours(variant: str) -> bool:
    """Return whether a server is the product."""
    return variant in (PRODUCT, WITH_UVLOOP)


def medians(runs: Sequence[Mapping[str, Any]]) -> Figures:
    """Return the median of every figure, and the busiest receiver."""
    found = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    found["busiest"] = max(run["busy"] for run in runs)
    return found


def pin(core: int) -> None:
    """Keep this process on one core, if there is one for each part."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
    if len(cores) > 1:
        os.sched_setaffinity(0, {cores[core % len(cores)]})


@contextmanager
def _process(command: Sequence[str], *, core: int) -> Iterator[subprocess.Popen[str]]:
    """Run a command on a core of its own, from the project's root; it is killed in the end."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=HERE.parent.parent,
        preexec_fn=lambda: pin(core),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _tell(process: subprocess.Popen[str]) -> None:
    stdin: IO[str] = process.stdin  # type: ignore[assignment]
    stdin.write("go\n")
    stdin.flush()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"{process.args!r} ended too early")
    return line


def _read(process: subprocess.Popen[str]) -> Figures:
    found: Figures = json.loads(_line(process))
    return found


def _expect_line(process: subprocess.Popen[str], expected: str) -> None:
    line = _line(process).strip()
    if line != expected:
        raise SystemExit(f"{process.args!r} said {line!r}; expected {expected!r}")
