"""
What `_receiver.c` does, for machines without a C compiler: same arguments, same output.

It is some ten times as slow, and so the bottleneck of faster servers.
"""

from __future__ import annotations

import json
import mmap
import os
import selectors
import socket
import struct
import sys
import time
from pathlib import Path

HANDSHAKE = (
    "GET /enhanced-stream?client_id=bench-{} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n\r\n"
)
HEAD = b'{"type":"market_data"'
TEXT, CLOSE, PING = 0x81, 0x88, 0x89


def masked(opcode: int, payload: bytes) -> bytes:
    """Return a client's frame; a mask of zeros is a mask."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 65536:
        length = b"\xfe" + size.to_bytes(2, "big")
    else:
        length = b"\xff" + size.to_bytes(8, "big")
    return bytes([0x80 | opcode]) + length + bytes(4) + payload


class Client:
    """One connection and what it got."""

    def __init__(self, number: int, port: int, request: str) -> None:
        self.number = number
        self.count = self.seq = 0
        self.open, self.answered = True, False
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(HANDSHAKE.format(number).encode())
        self.data = bytearray()
        while b"\r\n\r\n" not in self.data:
            self.data += self.socket.recv(65536)
        del self.data[: self.data.index(b"\r\n\r\n") + 4]
        self.socket.sendall(masked(1, request.encode()))
        self.socket.setblocking(False)


class Receiver:
    """All clients, and what came."""

    def __init__(self, stamps: str, sample: str, still: int) -> None:
        self.stamps: mmap.mmap | None = None
        if stamps:
            with Path(stamps).open("rb") as file:
                self.stamps = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        self.sample = sample
        self.still = still
        self.kept: dict[int, list[bytes]] = {0: [], still: []}
        self.late_us: list[int] = []
        self.first = self.last = self.cpu = 0.0
        self.received = self.bytes = self.disorder = self.gaps = self.answered = 0
        self.known: dict[bytes, int] = {}

    def take(self, client: Client, at: int) -> None:
        """Cut what is there into frames."""
        data = client.data
        start = 0
        while len(data) - start >= 2:
            size, width = data[start + 1], 2
            if size >= 126:
                width = 4 if size == 126 else 10
                size = int.from_bytes(data[start + 2 : start + width], "big")
            if len(data) - start < width + size:
                break
            payload = bytes(data[start + width : start + width + size])
            if data[start] == TEXT:
                self.message(client, payload, at)
            elif data[start] == PING:
                client.socket.send(masked(10, payload))
            elif data[start] == CLOSE:
                client.socket.send(masked(8, payload))
                client.open = False
            start += width + size
        del data[:start]

    def message(self, client: Client, payload: bytes, at: int) -> None:
        """Count one message."""
        if not payload.startswith(HEAD):
            if not client.answered and b"subscription_response" in payload[:200]:
                client.answered = True
                self.answered += 1
            return
        if not self.first:
            self.first, self.cpu = at / 1e9, time.process_time()
        self.last = at / 1e9
        client.count += 1
        self.received += 1
        self.bytes += len(payload)
        if client.number == 0:
            self.follow(payload)
        if self.stamps is not None:
            seq = int(payload[payload.rindex(b":") + 1 : -1])
            self.disorder += seq < client.seq
            client.seq = seq
            made = struct.unpack_from("<Q", self.stamps, seq * 8)[0]
            if made and client.number != self.still:
                self.late_us.append((at - made) // 1000)
        if client.number in self.kept:
            self.kept[client.number].append(payload)

    def follow(self, payload: bytes) -> None:
        """Look whether an update of an instrument is the next one."""
        name = payload[payload.index(b'"symbol":"') + 10 :].partition(b'"')[0]
        seq = int(payload[payload.rindex(b":") + 1 : -1])
        if name in self.known:
            self.disorder += seq <= self.known[name]
            self.gaps += seq > self.known[name] + 1
        self.known[name] = seq

    def told(self, clients: list[Client]) -> dict[str, float]:
        """Return the figures."""
        counts = [client.count for client in clients if client.number != self.still]
        late = sorted(self.late_us) or [0]
        wall = self.last - self.first
        return {
            "received": self.received,
            "least": min(counts),
            "most": max(counts),
            "still": clients[self.still].count if self.still >= 0 else 0,
            "bytes": self.bytes,
            "wall_s": wall,
            "busy": (time.process_time() - self.cpu) / wall if wall else 0.0,
            "disorder": self.disorder,
            "gaps": self.gaps,
            **{
                name: late[min(int(share * len(late)), len(late) - 1)]
                for name, share in (("p50_us", 0.5), ("p99_us", 0.99), ("p999_us", 0.999))
            },
        }


def main() -> None:
    """Receive until every server has hung up."""
    port, count, requests = int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    stamps, sample, still = sys.argv[5:8]
    receiver = Receiver(stamps, sample, int(still))
    lines = Path(requests).read_text().splitlines()
    clients = [Client(i, port, lines[min(i, len(lines) - 1)]) for i in range(count)]
    looker = selectors.DefaultSelector()
    for client in clients:
        looker.register(client.socket, selectors.EVENT_READ, client)
    left, told = count, False
    while left:
        for key, _ in looker.select(60):
            if key.data is None:
                looker.unregister(0)
                looker.register(clients[receiver.still].socket, selectors.EVENT_READ,
                                clients[receiver.still])  # fmt: skip
                continue
            client = key.data
            try:
                data = client.socket.recv(1 << 18)
            except ConnectionError:
                data = b""
            at = time.monotonic_ns()
            client.data += data
            receiver.take(client, at)
            if not data or not client.open:
                looker.unregister(client.socket)
                client.socket.close()
                left -= 1
        if not told and receiver.answered == count:
            told = True
            print("ready", flush=True)
            if receiver.still >= 0:
                looker.unregister(clients[receiver.still].socket)
                looker.register(0, selectors.EVENT_READ, None)
                os.set_blocking(0, False)
    print(json.dumps(receiver.told(clients)), flush=True)
    for number, name in ((0, receiver.sample), (receiver.still, f"{receiver.sample}.still")):
        if number >= 0 and receiver.sample:
            Path(name).write_bytes(b"".join(line + b"\n" for line in receiver.kept[number]))


if __name__ == "__main__":
    main()
