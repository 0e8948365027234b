"""
The page on faults, made from the catalogue and from what became of a real server.

    python -m tests.end_to_end.faults_page

runs every fault against a streaming server and writes ``docs/faults.md``.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from simulator.faults import CATALOGUE, Fault, Layer, Planned, parse_planned
from tests.end_to_end.faulty_feed import run_with

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
_TITLES = {
    Layer.SOCKET: "Socket",
    Layer.WEBSOCKET: "WebSocket",
    Layer.FRAME: "Frame",
    Layer.MESSAGE: "Message",
    Layer.SESSION: "Session",
}
_OUTCOMES = "## Outcomes\n"
_ROW = re.compile(r"^\| `([a-z-]+)` \| (.*) \|$", re.MULTILINE)


def plan_for(fault: Fault) -> Planned:
    """Return how a fault is tried: early in the tape, long enough to matter."""
    if fault.name == "mute":
        return parse_planned("mute@09:15:01+6s")
    lasts_s = max(1, min(fault.lasts_s, 3))
    return parse_planned(f"{fault.name}@09:15:02+{lasts_s}s")


async def measure(fault: Fault) -> str:
    """Run a real server through a fault; return its row's last columns."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = await run_with([plan_for(fault)], Path(folder))
    return columns(outcome.dials_again, bool(outcome.unusable), outcome.told)


def columns(dials_again: bool, has_unusable: bool, told: str) -> str:
    """Return what a row says of an outcome."""
    return f"{'yes' if dials_again else 'no'} | {'yes' if has_unusable else 'no'} | {told}"


def outcomes_of(page: str) -> dict[str, str]:
    """Return what the table of outcomes says of each fault."""
    return dict(_ROW.findall(page.partition(_OUTCOMES)[2]))


def render(outcomes: Mapping[str, str]) -> str:
    """Return the whole page."""
    lines = [_HEAD]
    for layer in Layer:
        lines += [f"### {_TITLES[layer]}", "", "| fault | what the feed does | options | lasts |"]
        lines.append("| --- | --- | --- | --- |")
        for fault in CATALOGUE:
            if fault.layer is layer:
                options = "; ".join(
                    f"`{each.name}={each.default:g}` {each.unit}" for each in fault.options
                )
                lasts = f"{fault.lasts_s} s" if fault.lasts_s else "a moment"
                lines.append(f"| `{fault.name}` | {fault.summary} | {options} | {lasts} |")
        lines.append("")
    lines += ["## Required", "", "| fault | what a streaming server must make of it |"]
    lines.append("| --- | --- |")
    lines += [f"| `{fault.name}` | {fault.required} |" for fault in CATALOGUE]
    lines += ["", _OUTCOMES, _MEASURED, "| fault | dials again | counts unusable | quotes |"]
    lines.append("| --- | --- | --- | --- |")
    lines += [f"| `{fault.name}` | {outcomes.get(fault.name, '')} |" for fault in CATALOGUE]
    return "\n".join(lines) + "\n"


_HEAD = """\
# Faults: a feed that goes wrong on purpose

`odin-sim replay` can break the feed at a given moment, to see what a streaming server and its
clients make of it. `odin-sim faults` lists this catalogue, with `--json` for programs. This page is
made by `python -m tests.end_to_end.faults_page`.

A fault is planned as `NAME[:option=value,...]@HH:MM:SS[+4s]`, for example
`--fault drop:share=0.1@09:30:00+5m`. The time is the replay's own, in India, to the second; the
fault comes on each day and in each pass. `+4s` (or `2m`, `1h`) says how many simulated seconds it
lasts. A fault of a moment that is given a length happens to each connection that logs on
meanwhile, too. Of several faults at once each does its part, in the order in which they are given.

`share` is how many of the messages or frames are hit. Which ones, and whatever else is random,
follows from `--seed` alone: faults of messages, `mute` and `burst` give the same stream at every
speed and in every process. Faults of time touch tags 73 and 74, never the header's 66, which is
the clock. Native blocks are left as they are.

Lengths are simulated, time-outs are real: at 60x a `mute` of a minute is a second of silence.

## While it runs

A running replay can be broken by hand, whether or not it was started with faults:

```console
$ odin-sim ctl fault reset
$ odin-sim ctl fault 'drop:share=0.1+5m'
$ odin-sim ctl fault 'mute@10:30:00+20s'
$ odin-sim ctl fault list
$ odin-sim ctl fault clear drop
```

Without a time it begins at once and comes once; a seek or a loop that leads out of its time ends
it. With a time it is planned as by `--fault`. Lengths are simulated: while the clock stands, they
last. `clear` ends everything that runs, `clear NAME` what runs of that name, `clear NUMBER` one of
the list, also one that is yet to come; what is cleared does not come again. Up to 1,000 may be
planned. The console page does the same, and so do `POST /control` and `GET /faults`
([replaying.md](replaying.md#control-api)); `GET /events` tells what begins and ends.

A replay without `--hold`, `--feed-only` or faults has a streaming server that ends with a logoff,
and refuses `logged-off`. What still runs at the end of a replay is ended, and the streaming server
is given ten seconds to come back before the feed says good-bye.

## Scenarios

`--scenario NAME` plans a list of faults: `bad-day` (everything that goes wrong in a year, in one
session), `flaky-network`, `opening-burst`, `reconnect-storm`. `--scenario FILE.toml` takes your
own; beside `name`, `at` and `lasts`, an entry has the fault's options:

```toml
seed = 7

[[fault]]
name = "drop"
at = "09:30:00"
lasts = "5m"
share = 0.1
```

With `--fault` as well, both are planned; `--seed` goes before the file's.

## The ledger

`--ledger FILE` writes one JSON object a line, as things happen. Each has `n`, its number, from 1,
`real_s`, seconds since the start, `time`, the feed's own, `what`, and mostly `connection`, counted
from 1. An update has the time of its row as `ts` (UNIX nanoseconds), price (in paise) and volume as
they are recorded, and the `faults` that changed what was sent. A `state` answers a subscribe, or
follows a jump in time; what is `lost` a fault has swallowed; what is `replaced` a slow connection
never got, as a newer update of its instrument took its place.

| `what` | and |
| --- | --- |
| `connected`, `gone` | |
| `logon` | `user`, `accepted` |
| `subscribe`, `unsubscribe` | `kind`, `instruments` |
| `update`, `state`, `replaced` | `segment`, `token`, `ltp`, `volume`, `ts`, `faults` |
| `lost` | the same, and `fault` |
| `fault` | `fault` as planned, `phase`: `begins`, `ends`, or `hits` a connection |
| `begins` | `kept`: how many lines are, see below |
| `missing` | `lines`: how many are not kept any more |

`GET /ledger` of the control port tells the same while the feed runs, at most 10,000 lines at a
time; `?after=N` goes on behind line `N`, `?limit=N` asks for fewer. An empty answer means that
nothing has happened since. Without `--ledger FILE` nothing is noted, and nothing paid for it, until
the first such request: the ledger then begins, in memory, with the connections that there are, and
keeps the latest 50,000 lines. What is asked for and gone is told by a line `missing`, whose `n` is
the number to go on from. Begin it before the clock starts (`--start-on`) to have all of it.

```console
$ curl 'http://localhost:4510/ledger?after=0&limit=100'
```

## The hash of a stream

`odin-sim hash FILE` plays a window to a client of all instruments and prints the SHA-256 of what it
was told. It takes the faults that change what is said (those of messages, `mute`, `burst`,
`heartbeat-stops`), and gives the same hash at every `--speed`.

## Catalogue
"""

_MEASURED = """\
What became of a real server with short time-outs, on a tape of two stocks at 4x. In every run
each quote that its client was told (token, volume, price) was one of the recording's, the client's
own connection stayed, and the server was up to date again within seconds of the end of the fault.
*Dials again*: the server lost the feed and logged on again. *Counts unusable*: it left out, and
counted, what it could not use.
"""


def main() -> None:
    """Measure all outcomes and write the page."""
    outcomes = {fault.name: asyncio.run(measure(fault)) for fault in CATALOGUE}
    PAGE.write_text(render(outcomes), encoding="utf-8")


if __name__ == "__main__":
    main()
