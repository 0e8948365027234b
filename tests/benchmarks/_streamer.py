"""The program ``odin-streamer serve`` as a process, and plain clients of it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks._receiver import masked
from tests.benchmarks._workload import instruments

ROOT = Path(__file__).parent.parent.parent
NO_FEED = "ws://127.0.0.1:9"
"""Nobody listens there: what is measured needs no quotes."""


class Running:
    """A server process that listens."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.pid = process.pid
        self.port = port


@contextmanager
def serving(
    folder: Path,
    *more: str,
    feed: str = NO_FEED,
    count: int = 0,
    program: Sequence[str] = ("streamer.cli",),
) -> Iterator[Running]:
    """
    Run a server until the block ends.

    Args:
        folder: For its files.
        more: More options.
        feed: The address of the feed.
        count: How many made-up instruments it knows besides its own.
        program: The module that runs, and what comes before the command.

    """
    command = [
        sys.executable, "-m", *program, "serve", "--upstream", feed, "--host", "127.0.0.1",
        "--port", "0", "--db", str(folder / "sessions.db"), "--events", *more,
    ]  # fmt: skip
    if count:
        path = folder / "instruments.csv"
        write_instruments(path, count)
        command += ["--instruments", str(path)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT
    )
    assert process.stdin is not None
    assert process.stdout is not None
    # It tells of each client; somebody must read that.
    reading = threading.Thread(target=process.stdout.read, daemon=True)
    try:
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "listening":
                break
        else:
            raise SystemExit("the server did not start")
        reading.start()
        yield Running(process, event["port"])
    finally:
        process.kill()
        process.wait()
        if reading.is_alive():
            reading.join()
        process.stdin.close()
        process.stdout.close()


def write_instruments(path: Path, count: int) -> None:
    """Write made-up instruments as a file for ``--instruments``."""
    lines = [f"{i.token},{i.symbol},{i.exchange},{i.series}" for i in instruments(count)]
    path.write_text("\n".join(["token,symbol,exchange,series", *lines]) + "\n")


class Plain:
    """
    A WebSocket client of a socket and nothing else, so that its own time is small.

    Args:
        port: Of the server.
        client_id: What it is called.

    """

    def __init__(self, port: int, client_id: str) -> None:
        key = base64.b64encode(hashlib.md5(client_id.encode()).digest()).decode()
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.arrived = 0.0
        """When the latest message that was asked for had come whole, by ``perf_counter``."""
        self._data = bytearray()
        self.socket.sendall(
            (
                f"GET /enhanced-stream?client_id={client_id} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                f"Sec-WebSocket-Key: {key}\r\n\r\n"
            ).encode()
        )
        while b"\r\n\r\n" not in self._data:
            self._read()
        head, _, rest = bytes(self._data).partition(b"\r\n\r\n")
        if not re.match(rb"HTTP/1.1 101 ", head):
            raise SystemExit(f"refused: {head[:200]!r}")
        self._data = bytearray(rest)

    def send(self, message: object) -> float:
        """Send one message; return when, by ``perf_counter``."""
        frame = masked(1, json.dumps(message).encode())
        at = time.perf_counter()
        self.socket.sendall(frame)
        return at

    def next(self, kind: str) -> dict[str, Any]:
        """Return the next message of a type; others before it are passed over."""
        mark = b'"type":"%b"' % kind.encode()
        while True:
            text = self._next()
            if mark in text[:200]:
                self.arrived = time.perf_counter()
                found: dict[str, Any] = json.loads(text)
                return found

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def _read(self) -> None:
        data = self.socket.recv(1 << 20)
        if not data:
            raise SystemExit("the server hung up")
        self._data += data

    def _next(self) -> bytes:
        while True:
            data = self._data
            if len(data) >= 2:
                size, width = data[1], 2
                if size >= 126:
                    width = 4 if size == 126 else 10
                    size = int.from_bytes(data[2:width], "big") if len(data) >= width else 1 << 62
                if len(data) >= width + size:
                    opcode, payload = data[0] & 15, bytes(data[width : width + size])
                    del data[: width + size]
                    if opcode == 9:
                        self.socket.sendall(masked(10, payload))
                    elif opcode == 1:
                        return payload
                    continue
            self._read()


@contextmanager
def folder() -> Iterator[Path]:
    """Make a folder for a server's files; it is removed in the end."""
    with tempfile.TemporaryDirectory(prefix="odin-benchmark-") as name:
        yield Path(name)


def subscribe_to(stocks: Sequence[str]) -> dict[str, object]:
    """Return a request."""
    return {"type": "request", "action": "subscribe", "stocks": list(stocks)}


def allow_many_sockets() -> None:
    """Raise this process's limit of open files as far as it goes."""
    if os.name != "posix":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
