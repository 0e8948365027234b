"""Which of a benchmark's figures are drawn, and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.benchmarks._load import PRODUCT
from tests.benchmarks._svg import Bar, Chart

Answer = Mapping[str, Any]


def charts(name: str, answer: Answer) -> list[Chart]:
    """Return the charts of a benchmark; none for those that are not drawn."""
    draw = _DRAWN.get(name)
    return draw(answer) if draw else []


def _is_ours(label: str) -> bool:
    return label.startswith(PRODUCT)


def _fanout(answer: Answer) -> list[Chart]:
    found = []
    for row in answer["rows"]:
        each = "all of it" if row["subscribed"] == row["instruments"] else f"{row['subscribed']}"
        found.append(
            Chart(
                f"{row['clients']} clients, {row['burst']} updates a turn, each client {each}: "
                "messages a core-second",
                [
                    Bar(server, 1e6 / figures["us_per_message"], _is_ours(server))
                    for server, figures in row["servers"].items()
                ],
            )
        )
    return found


def _of_servers(title: str, key: str, unit: float = 1) -> Callable[[Answer], list[Chart]]:
    def draw(answer: Answer) -> list[Chart]:
        bars = [
            Bar(server, figures[key] / unit, _is_ours(server))
            for server, figures in answer["servers"].items()
        ]
        return [Chart(title, bars)]

    return draw


def _replay(answer: Answer) -> list[Chart]:
    bars = [
        Bar(name, row["rows_per_s"], name != "pipeline")
        for name, row in answer["two_processes"].items()
    ]
    found = [Chart("two processes: rows a second", bars)]
    if by_length := answer.get("lengths"):
        bars = [
            Bar(f"{name} rows", row["grown_bytes"] / 2**20, True) for name, row in by_length.items()
        ]
        found.append(Chart("memory to read a recording to its end, MB", bars))
    return found


def _ingest(answer: Answer) -> list[Chart]:
    row = answer["messages_per_s"]["32"]
    bars = [Bar(name, rate, name.startswith("reader")) for name, rate in row.items()]
    return [Chart("32 messages a frame: messages a core-second", bars)]


def _pacing(answer: Answer) -> list[Chart]:
    figures = answer["client_of"]
    bars = [Bar("a bare timer", figures["bare timer"]["wake_ms"]["p99"])]
    for kind in ("feed", "streamer"):
        if kind in figures:
            row = figures[kind]
            bars.append(
                Bar(f"the feed's write, client of the {kind}", row["write_ms"]["p99"], True)
            )
            bars.append(Bar(f"the client of the {kind}", row["client_ms"]["p99"], True))
    return [Chart("5,000 updates a second: p99 lateness, ms", bars)]


def _lookup(answer: Answer) -> list[Chart]:
    bars = [Bar(name, ns, not name.startswith("database")) for name, ns in answer["ns"].items()]
    return [Chart("one look-up of 9,000 instruments, ns (lengths are logarithms)", bars, log=True)]


def _sessions(answer: Answer) -> list[Chart]:
    ms = answer["ms"]
    names = {
        "subscribe": "subscribed, saved, acknowledged",
        "held": "the loop held, at the most",
        "welcome": "welcome with all restored",
        "plain_welcome": "welcome without any",
    }
    bars = [Bar(what, ms[name], name != "plain_welcome") for name, what in names.items()]
    return [Chart("one client with 5,000 stocks, ms", bars)]


def _memory(answer: Answer) -> list[Chart]:
    bars = [Bar(name, size, _is_ours(name)) for name, size in answer["kb"].items()]
    return [Chart("memory for an idle connection, KB", bars)]


def _startup(answer: Answer) -> list[Chart]:
    bars = [Bar(name, row["median_s"], True) for name, row in answer["seconds"].items()]
    return [Chart("seconds until it is there", bars)]


_DRAWN: dict[str, Callable[[Answer], list[Chart]]] = {
    "fanout": _fanout,
    "latency": _of_servers(
        "100,000 messages a second to 500 clients: p99 latency, ms", "p99_us", 1e3
    ),
    "slow-client": _of_servers("one of 100 does not read: p99 of the others, ms", "p99_us", 1e3),
    "replay": _replay,
    "ingest": _ingest,
    "pacing": _pacing,
    "lookup": _lookup,
    "sessions": _sessions,
    "memory": _memory,
    "startup": _startup,
}
