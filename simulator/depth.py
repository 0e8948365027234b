"""
Levels of the order book that a recording does not tell, made up.

Most recordings have the best bid and ask at the most; a best five message
needs five levels a side. The levels below the best are invented, plausibly and
always alike: the same touchline in the same second gives the same levels in
any process. Where the best price itself is not known, the side is empty.
"""

from __future__ import annotations

from streamer.ist import NS_PER_SECOND
from streamer.odin.messages import Level, Touchline
from streamer.odin.touchline import DEPTH, NO_LEVEL

_MASK = 2**64 - 1
_BID, _ASK = 1, 2


def made_up_levels(t: Touchline, tick: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    """
    Return five buy and five sell levels that go with a touchline.

    Level 1 is the touchline's own bid and ask. Prices step outward by one to
    three ticks; on a side whose total quantity is told, the levels together
    never exceed it.

    Args:
        t: Its ``lut`` tells the second.
        tick: Smallest step of the price, in paise.

    """
    seed = _mix(_mix(t.segment << 32 | t.token) ^ (t.lut // NS_PER_SECOND))
    best_qty = max((t.bid_qty + t.ask_qty) // 2, 1)
    buys = _side(seed ^ _BID, t.bid, t.bid_qty, -tick, best_qty, t.total_buy)
    sells = _side(seed ^ _ASK, t.ask, t.ask_qty, tick, best_qty, t.total_sell)
    return buys, sells


def made_up_orders(t: Touchline, quantity: int, price: int) -> int:
    """Return a number of orders for a level that tells its quantity and price alone."""
    return _orders(_mix(_mix(t.segment << 32 | t.token) ^ price), quantity)


def _side(
    seed: int, price: int, quantity: int, step: int, best_qty: int, total: int
) -> tuple[Level, ...]:
    if not price:
        return (NO_LEVEL,) * DEPTH
    bits = _mix(seed ^ price)
    levels = [Level(quantity, price, _orders(bits, quantity))]
    left = total - quantity if total else None
    while len(levels) < DEPTH:
        bits = _mix(bits)
        price += step * (1 if bits & 7 < 5 else 2 if bits & 7 < 7 else 3)
        quantity = max(best_qty * (40 + (bits >> 8) % 210) // 100, 1)
        if left is not None:
            quantity = min(quantity, left)
            left -= quantity
        if price <= 0 or quantity <= 0:
            break
        levels.append(Level(quantity, price, _orders(bits >> 32, quantity)))
    return (*levels, *(NO_LEVEL,) * (DEPTH - len(levels)))


def _orders(bits: int, quantity: int) -> int:
    """Return how many orders make up a quantity: none for nothing, else 1 to 24."""
    return min(quantity, 1 + (bits & 7) + (bits >> 3 & 15)) if quantity else 0


def _mix(value: int) -> int:
    """Return 64 bits in which each depends on all bits of ``value`` (SplitMix64)."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ value >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ value >> 27) * 0x94D049BB133111EB) & _MASK
    return value ^ value >> 31
