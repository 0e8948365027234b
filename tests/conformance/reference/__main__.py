"""The command line of the reference server."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Final

from tests.conformance.reference import breaks
from tests.conformance.reference.server import ReferenceServer
from tests.conformance.reference.settings import Settings
from tests.conformance.reference.store import StoreError

UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

EPILOG: Final = """\
Example:
  python -m tests.conformance.reference --port 0 --feed ws://localhost:4509 --state /tmp/state
  python -m tests.conformance.reference --state /tmp/state --break no-last-quote

Exit status:
  0    it was told to end
  1    the sessions in the state folder cannot be read
  2    wrong usage
"""


def seconds(text: str) -> float:
    """Return a time as seconds: a number, or one with s, m, h or d."""
    return float(text[:-1]) * UNITS[text[-1]] if text[-1:] in UNITS else float(text)


def read_command_line(arguments: list[str]) -> argparse.Namespace:
    """Return the options of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance.reference",
        description="A small correct server of the client protocol, or one broken on purpose.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add, default = parser.add_argument, Settings(Path())
    add("--state", type=Path, help="folder that keeps what clients subscribe")
    add("--port", type=int, default=0, help="port to listen on; 0 picks a free one")
    add("--feed", metavar="URL", help="address of the ODIN feed; none when left out")
    add("--clock", choices=("feed", "wall"), default="feed", help="what tells the market's time")
    add("--open", metavar="HH:MM:SS", help="open at that time, every day; with --close")
    add("--close", metavar="HH:MM:SS", help="close at that time, every day; with --open")
    add("--closed-policy", choices=("accept", "reject"), default="accept")
    add("--max-subscriptions", type=int, default=default.max_subscriptions)
    add("--max-connections", type=int, default=default.max_connections)
    add("--max-message-bytes", type=int, default=default.max_message_bytes)
    add("--request-rate", type=float, default=default.request_rate)
    add("--request-burst", type=float, default=default.request_burst)
    add("--ping-interval", type=seconds, default=default.ping_interval)
    add("--ping-timeout", type=seconds, default=default.ping_timeout)
    add("--stall", type=seconds, default=default.stall)
    add("--session-ttl", type=seconds, default=default.session_ttl)
    add("--drain-s", type=seconds, default=default.drain)
    add("--origin", action="append", default=[])
    add("--break", dest="broken", metavar="NAME", action="append", default=[], help="break it so")
    add("--list-broken", action="store_true", help="list the ways in which it can be broken")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.broken if name not in breaks.NAMES]
    if unknown:
        parser.error(f"found no way to break it called {unknown[0]}; --list-broken lists them")
    if bool(options.open) != bool(options.close):
        parser.error("found one of --open and --close; expected both or none")
    if options.state is None and not options.list_broken:
        parser.error("found no --state; expected a folder")
    return options


def main(arguments: list[str]) -> int:
    """Run the command; return its exit status."""
    options = read_command_line(arguments)
    if options.list_broken:
        for variant in breaks.VARIANTS:
            print("\t".join(variant.as_columns()))  # noqa: T201
        return 0
    breaks.turn_on(options.broken)
    settings = Settings(
        state=options.state,
        port=options.port,
        feed=options.feed,
        clock=options.clock,
        window=f"{options.open} - {options.close}" if options.open else None,
        closed_policy=options.closed_policy,
        max_subscriptions=options.max_subscriptions,
        max_connections=options.max_connections,
        max_message_bytes=options.max_message_bytes,
        request_rate=options.request_rate,
        request_burst=options.request_burst,
        ping_interval=options.ping_interval,
        ping_timeout=options.ping_timeout,
        stall=options.stall,
        session_ttl=options.session_ttl,
        drain=options.drain_s,
        origins=tuple(options.origin),
    )
    try:
        asyncio.run(serve(settings))
    except StoreError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


async def serve(settings: Settings) -> None:
    """Serve until told to end."""
    await ReferenceServer(settings).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
