from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from simulator.timer import DeadlineTimer

MS = 1_000_000


@pytest.fixture(params=[True, False], ids=["precise", "fallback"])
async def timer(request: pytest.FixtureRequest) -> AsyncIterator[DeadlineTimer]:
    """Both kinds of alarm keep the same promises."""
    timer = DeadlineTimer(precise=request.param)
    yield timer
    timer.close()


async def test_it_never_rings_early(timer: DeadlineTimer) -> None:
    """A wait ends at its absolute deadline or after it."""
    deadline = time.monotonic_ns()
    for gap in (3 * MS, MS // 3, 7 * MS):
        deadline += gap
        await timer.wait_until(deadline)
        assert time.monotonic_ns() >= deadline


async def test_a_deadline_that_has_passed_ends_the_wait_at_once(timer: DeadlineTimer) -> None:
    """Also one at zero, which the operating system would take for no deadline."""
    for deadline in (0, time.monotonic_ns() - 1):
        async with asyncio.timeout(5):
            await timer.wait_until(deadline)


async def test_others_get_their_turn_when_we_are_late(timer: DeadlineTimer) -> None:
    """Waiting for what has passed still lets another task run."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    for _ in range(10):
        await timer.wait_until(0)
    task.cancel()
    assert turns >= 5


async def test_waking_ends_a_wait_without_deadline(timer: DeadlineTimer) -> None:
    """Who waits for ever is woken by a call."""
    waiting = asyncio.create_task(timer.wait_until(None))
    await asyncio.sleep(0)
    timer.wake()
    async with asyncio.timeout(5):
        await waiting


async def test_waking_ahead_ends_the_next_wait_once(timer: DeadlineTimer) -> None:
    """A wake-up with nobody waiting is not lost, and not counted twice."""
    timer.wake()
    timer.wake()
    async with asyncio.timeout(5):
        await timer.wait_until(None)
    deadline = time.monotonic_ns() + 5 * MS
    await timer.wait_until(deadline)
    assert time.monotonic_ns() >= deadline


async def test_the_deadline_of_a_wait_that_was_woken_rings_no_later_wait() -> None:
    """An alarm that is no longer wanted is disarmed."""
    timer = DeadlineTimer()
    waiting = asyncio.create_task(timer.wait_until(time.monotonic_ns() + 2 * MS))
    await asyncio.sleep(0)
    timer.wake()
    await waiting
    deadline = time.monotonic_ns() + 20 * MS
    await timer.wait_until(deadline)
    assert time.monotonic_ns() >= deadline
    timer.close()


async def test_a_cancelled_wait_leaves_the_timer_usable(timer: DeadlineTimer) -> None:
    """The next task can wait on it."""
    waiting = asyncio.create_task(timer.wait_until(None))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with asyncio.timeout(5):
        await timer.wait_until(time.monotonic_ns() + MS)


async def test_two_waiters_are_a_mistake(timer: DeadlineTimer) -> None:
    """One timer serves one task."""
    waiting = asyncio.create_task(timer.wait_until(None))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="another task"):
        await timer.wait_until(None)
    timer.wake()
    await waiting


async def test_deadlines_closer_than_the_gap_share_a_wake_up() -> None:
    """Two returns are at least the minimum gap apart."""
    timer = DeadlineTimer(min_gap_ns=4 * MS)
    await timer.wait_until(time.monotonic_ns() + MS)
    first = time.monotonic_ns()
    await timer.wait_until(first + MS // 10)
    # The gap counts from the return itself, a moment before it was measured.
    assert time.monotonic_ns() - first >= 3 * MS
    timer.close()


async def test_a_turn_is_called_at_each_deadline_that_it_returns(timer: DeadlineTimer) -> None:
    """The wait goes on, never early, until the turn returns None."""
    wanted = [time.monotonic_ns() + gap for gap in (MS, 2 * MS, 0, 4 * MS)]
    called: list[int] = []

    def turn() -> int | None:
        called.append(time.monotonic_ns())
        return wanted[len(called)] if len(called) < len(wanted) else None

    async with asyncio.timeout(5):
        await timer.wait_until(wanted[0], turn)
    assert len(called) == len(wanted)
    assert all(at >= deadline for at, deadline in zip(called, wanted, strict=True))


async def test_what_a_turn_raises_ends_the_wait(timer: DeadlineTimer) -> None:
    """The waiting task gets it, and can wait again."""

    def turn() -> int | None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await timer.wait_until(time.monotonic_ns() + MS, turn)
    async with asyncio.timeout(5):
        await timer.wait_until(time.monotonic_ns() + MS)


async def test_waking_ends_a_wait_with_turns(timer: DeadlineTimer) -> None:
    """A wake-up in the middle of turns ends them, and no later alarm calls the turn again."""
    calls = 0

    def turn() -> int | None:
        nonlocal calls
        calls += 1
        if calls == 3:
            timer.wake()
        return time.monotonic_ns() + MS // 10

    async with asyncio.timeout(5):
        await timer.wait_until(time.monotonic_ns(), turn)
    assert calls == 3
    await timer.wait_until(time.monotonic_ns() + 5 * MS)
    assert calls == 3
