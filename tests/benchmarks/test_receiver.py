"""Both receivers see what a server loses, sends late or sends twice."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from streamer.outbox import text_frame
from tests.benchmarks._load import HERE

CLOSE = b"\x88\x02\x03\xe8"
DEADLINE_S = 30


@pytest.fixture(scope="module", params=["C", "Python"])
def receiver(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the command of a receiver."""
    if request.param == "Python":
        return [sys.executable, str(HERE / "_receiver.py")]
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    program = tmp_path_factory.mktemp("receiver") / "receiver"
    subprocess.run(["cc", "-O2", "-o", str(program), str(HERE / "_receiver.c")], check=True)
    return [str(program)]


def serve_once(listener: socket.socket, messages: Sequence[bytes]) -> None:
    """Answer one client's handshake and request, send it the messages, and close."""
    client, _ = listener.accept()
    with client:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        client.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        client.recv(4096)
        client.sendall(text_frame(b'{"type":"subscription_response"}'))
        client.sendall(b"".join(text_frame(message) for message in messages) + CLOSE)
        while client.recv(4096):
            pass


def message(symbol: str, seq: int) -> bytes:
    """Return a message as far as receivers read it."""
    return b'{"type":"market_data","symbol":"%b","seq":%d}' % (symbol.encode(), seq)


def received(receiver: list[str], folder: Path, messages: Sequence[bytes]) -> dict[str, Any]:
    """Return what a receiver tells of these messages; they must be what it writes down."""
    requests, sample = folder / "requests", folder / "sample"
    requests.write_text('{"type":"request"}\n')
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=serve_once, args=(listener, messages), daemon=True)
        serving.start()
        port = str(listener.getsockname()[1])
        told = subprocess.run(
            [*receiver, "127.0.0.1", port, "1", str(requests), "", str(sample), "-1", "0"],
            capture_output=True,
            text=True,
            check=True,
            timeout=DEADLINE_S,
            stdin=subprocess.DEVNULL,
        )
        serving.join(DEADLINE_S)
    ready, figures = told.stdout.splitlines()
    assert ready == "ready"
    assert sample.read_bytes().splitlines() == list(messages)
    found: dict[str, Any] = json.loads(figures)
    return found


@pytest.mark.parametrize(
    ("updates", "gaps", "disorder"),
    [
        ([("A", 7), ("A", 8), ("B", 1), ("A", 9), ("B", 2)], 0, 0),
        ([("A", 1), ("A", 3), ("B", 1), ("B", 2)], 1, 0),
        ([("A", 1), ("A", 2), ("A", 2), ("A", 3)], 0, 1),
        ([("A", 1), ("A", 3), ("A", 2), ("A", 3)], 1, 1),
    ],
    ids=["whole", "lost", "twice", "swapped"],
)
def test_what_is_not_the_next_of_its_instrument_is_counted(
    receiver: list[str],
    tmp_path: Path,
    updates: list[tuple[str, int]],
    gaps: int,
    disorder: int,
) -> None:
    """A lost update is a gap, one that is not newer than the last is disorder."""
    figures = received(receiver, tmp_path, [message(*each) for each in updates])
    assert (figures["received"], figures["gaps"], figures["disorder"]) == (
        len(updates),
        gaps,
        disorder,
    )
