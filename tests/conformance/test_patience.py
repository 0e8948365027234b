"""A deadline counts the time in which the suite ran, and no other."""

from __future__ import annotations

import asyncio
import time

import pytest

from conformance.patience import Patience, at_most


def test_patience_ends_when_it_is_used_up() -> None:
    """Looks that follow each other count in full."""
    some = Patience(0.02)
    looks = 0
    while not some.ends():
        looks += 1
    assert looks > 1
    assert some.left_s <= 0


def test_a_pause_of_the_process_counts_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute without a look is no minute of waiting."""
    now = time.monotonic()
    some = Patience(5)
    monkeypatch.setattr(time, "monotonic", lambda: now + 60)
    assert not some.ends()
    assert 3.9 < some.left_s < 4.1


async def test_what_takes_too_long_is_cancelled() -> None:
    """It ends with a TimeoutError, as by the standard library's."""
    ended = []

    async def long() -> None:
        async with at_most(0.02):
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("here")

    with pytest.raises(TimeoutError):
        await long()
    assert ended == ["here"]


async def test_what_is_done_in_time_is_left_alone() -> None:
    """Nothing of the deadline is left when its block is over."""
    before = asyncio.all_tasks()
    async with at_most(5):
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_an_error_inside_is_the_caller_s() -> None:
    """It passes as it is."""
    with pytest.raises(ValueError, match="mine"):
        async with at_most(5):
            raise ValueError("mine")
