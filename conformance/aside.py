"""
An event loop in a thread of its own, for callers that have none or must not share theirs.

What is asked of it can be waited for by blocking, from a plain function, or by
``await``, from a coroutine in another loop.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import warnings
from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

__all__ = ["Aside", "Doing"]

T = TypeVar("T")


class Doing(Generic[T]):
    """
    Something that is being done aside; in a coroutine it has to be awaited.

    Args:
        future: What becomes of it.
        what: Names it in the warning if nobody waits for it.

    """

    def __init__(self, future: concurrent.futures.Future[T], what: str) -> None:
        self._future = future
        self._what = what
        self._waited_for = False

    def wait(self) -> T:
        """Block until it is done; return its result, or raise what it raised."""
        self._waited_for = True
        return self._future.result()

    def __await__(self) -> Generator[Any, None, T]:
        self._waited_for = True
        return asyncio.wrap_future(self._future).__await__()

    def __del__(self) -> None:
        if not self._waited_for:
            warnings.warn(f"{self._what} was never awaited", RuntimeWarning, stacklevel=2)


class Aside:
    """Runs coroutines in its own thread, from when it is made until it is closed."""

    def __init__(self) -> None:
        # Not the policy's: that of a test may be one whose processes end with it.
        self._loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="odin-conformance", daemon=True
        )
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Block until a coroutine has ended there; return its result, or raise what it raised."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def do(self, work: Coroutine[Any, Any, T], what: str) -> Doing[T]:
        """
        Begin a coroutine there.

        Called where no event loop runs, this blocks until it has ended; in a
        coroutine the caller awaits what is returned.
        """
        doing = Doing(asyncio.run_coroutine_threadsafe(work, self._loop), what)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            doing.wait()
        return doing

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()
