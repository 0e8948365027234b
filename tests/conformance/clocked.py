"""
A small server with a clock of its own, to try the suite's clock drivers on.

``python -m tests.conformance.clocked --port N`` with ``--open`` and ``--close``
(its session, by this machine's time in India), or with ``--clock FILE``, which
holds the time of day that it believes in.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from datetime import datetime
from pathlib import Path

from websockets.asyncio.server import ServerConnection, serve

from conformance.tape import IST


async def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--open", default="09:15:00")
    parser.add_argument("--close", default="15:30:00")
    parser.add_argument("--clock", type=Path)
    options = parser.parse_args()

    def now() -> datetime:
        if options.clock is None:
            return datetime.now(IST)
        return datetime.fromisoformat(options.clock.read_text())

    async def talk(socket: ServerConnection) -> None:
        async def say(kind: str, status: str, data: object) -> None:
            stamp = round(now().timestamp() * 1000)
            envelope = {"type": kind, "status": status, "data": data, "timestamp": stamp}
            await socket.send(json.dumps(envelope | {"client_id": "c"}))

        await say("welcome", "connected", {})
        async for text in socket:
            match json.loads(text).get("action"):
                case "market_status":
                    is_open = options.open <= f"{now():%H:%M:%S}" < options.close
                    await say("market_status", "success", {"market_open": is_open})
                case "ping":
                    await say("pong", "alive", None)
                case "subscribe":
                    await say("subscription_response", "success", {})

    async with serve(talk, "127.0.0.1", options.port):
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main())
