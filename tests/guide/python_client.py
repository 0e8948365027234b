"""The guide's Python client, as printed but for the port."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.guide.page import at_port, guide_block


def python_client(client_id: str, port: int) -> tuple[Any, asyncio.Queue[Any]]:
    """
    Return a client of the printed class, and the messages that it has handled.

    The class is the page's own, compiled from it. Messages are handled by the
    printed method first and then put into the queue for the caller.
    """
    block = guide_block("Python Client", "python")
    printed: dict[str, Any] = {"__name__": "the_guide"}
    code = compile(at_port(block.text, port), str(block), "exec", dont_inherit=True)
    exec(code, printed)
    handled: asyncio.Queue[Any] = asyncio.Queue()

    printed_class: Any = printed["OdinStreamerClient"]

    class Caller(printed_class):  # type: ignore[misc]
        async def handle_message(self, message: Any) -> None:
            await super().handle_message(message)
            handled.put_nowait(message)

    return Caller(client_id), handled
