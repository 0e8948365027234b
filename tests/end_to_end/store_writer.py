"""
Saves without end, each told on standard output once it is durable: somebody to kill.

Run as ``python -m tests.end_to_end.store_writer SEED FIRST_NUMBER FILE``.
"""

from __future__ import annotations

import random
import sys

from streamer.clients import ClientChanges, ClientRecord
from streamer.store import ClientStore


def change(seed: int, number: int) -> ClientChanges:
    """Return the change of that number: up to 3,000 instruments for one of five clients."""
    chance = random.Random(f"{seed}:{number}")
    client_id = f"client-{chance.randrange(5)}"
    if chance.random() < 0.2:
        return ClientChanges(removed=(client_id,))
    first = chance.randrange(1, 10**6)
    instruments = tuple((1, token) for token in range(first, first + chance.randrange(3000)))
    return ClientChanges(saved=(ClientRecord(client_id, instruments, number),))


def main() -> None:
    """Save one change after the other until killed."""
    seed, number, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    store = ClientStore.open(path)
    while True:
        store.save(change(seed, number))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        number += 1


if __name__ == "__main__":
    main()
