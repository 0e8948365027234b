"""
The defects of real feeds: updates that come late, and updates that bring an old volume.

The shares are those measured on a broker's feed: of 200 updates one comes a
second late, behind newer ones; of 1000 seven repeat the volume before the last
trade. Whoever takes every update at its word sees prices and volumes go back.
"""

from __future__ import annotations

import numpy as np

from simulator.columns import UNTOLD, Int64Array
from simulator.paths import last_true
from simulator.tape import CONSTANTS, FIGURES, Tape, changes
from simulator.timetables import OPEN_S, SECONDS

LATE_SHARE = 0.005
LATE_MS = 1_000
STALE_SHARE = 0.007

_ALWAYS_TOLD = ("ltp", "ltq", "volume")


def with_defects(tape: Tape, rng: np.random.Generator) -> Tape:
    """
    Return the tape as a real feed would bring it, in the order of arrival.

    A row's time is when it arrives. A late row arrives a second after its own
    time, with the figures of its own time; the row behind it tells everything
    that has changed again, so that each row stands for itself as on the wire.
    Only rows of the session are touched. `Tape.prices` stays what was traded.
    """
    opening = OPEN_S * 1_000
    inside = (tape.ms >= opening) & (tape.ms < opening + (SECONDS - 2) * 1_000)
    figures = {name: _held(values) for name, values in tape.figures.items()}

    volume = figures["volume"]
    rose = np.zeros(len(volume), dtype=np.bool_)
    rose[2:] = volume[1:-1] > volume[:-2]
    candidates = np.flatnonzero(inside & rose)
    share = min(1.0, STALE_SHARE * inside.sum() / max(len(candidates), 1))
    stale = candidates[rng.random(len(candidates)) < share]
    figures["volume"] = volume.copy()
    figures["volume"][stale] = volume[stale - 2]

    late = inside & (rng.random(len(tape.ms)) < LATE_SHARE)
    ms = tape.ms + np.where(late, LATE_MS, 0)
    order = np.argsort(ms, kind="stable")
    arrived = {name: figures[name][order] for name in FIGURES}
    for name in FIGURES:
        if name in _ALWAYS_TOLD:
            arrived[name] = np.where(arrived[name] < 0, UNTOLD, arrived[name])
        else:
            arrived[name] = changes(arrived[name])
    for name in CONSTANTS:
        arrived[name][1:] = UNTOLD
    return tape._replace(ms=ms[order], figures=arrived)


def _held(values: Int64Array) -> Int64Array:
    """Return each value as last told; `UNTOLD` before it is."""
    return values[last_true(values != UNTOLD)]
