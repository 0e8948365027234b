"""The lock on a session store."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from streamer.errors import StoreError
from streamer.lockfile import LockFile

HOLDER = """
import sys
from pathlib import Path
from streamer.lockfile import LockFile
lock = LockFile.acquire(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the lock of a store would be."""
    return tmp_path / "sessions.db.lock"


def test_the_second_taker_is_refused_and_told_who_has_it(path: Path) -> None:
    """One lock at a time, also within a process; the refusal names the holder's pid."""
    lock = LockFile.acquire(path)
    assert path.read_text() == f"{os.getpid()}\n"
    with pytest.raises(StoreError, match=rf"in use by process {os.getpid()}; expected"):
        LockFile.acquire(path)
    lock.release()
    LockFile.acquire(path).release()


def test_release_leaves_nothing_and_may_be_repeated(path: Path) -> None:
    """After the release there is no file, and a second release takes nobody else's lock."""
    lock = LockFile.acquire(path)
    lock.release()
    assert not path.exists()
    other = LockFile.acquire(path)
    lock.release()
    with pytest.raises(StoreError):
        LockFile.acquire(path)
    other.release()


def test_the_lock_of_another_process_ends_with_that_process(path: Path) -> None:
    """Held by another process the lock is refused; killed with -9, that process holds nothing."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StoreError, match=f"process {holder.pid};"):
            LockFile.acquire(path)
        holder.kill()
    assert path.exists()
    LockFile.acquire(path).release()


def test_two_never_hold_it_at_once(path: Path) -> None:
    """However often it is taken and released by many at once, one at a time has it."""
    holders: list[int] = []
    overlaps: list[list[int]] = []
    taken = []

    def contend(name: int) -> None:
        for _ in range(300):
            try:
                lock = LockFile.acquire(path)
            except StoreError:
                continue
            holders.append(name)
            if len(holders) > 1:
                overlaps.append(list(holders))
            taken.append(name)
            holders.remove(name)
            lock.release()

    threads = [threading.Thread(target=contend, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken
    assert not overlaps


def test_a_file_that_is_no_lock_is_left_alone(path: Path) -> None:
    """What does not hold a process id is somebody's file: it is refused, not emptied."""
    path.write_text("my notes")
    with pytest.raises(StoreError, match="no lock of this server"):
        LockFile.acquire(path)
    assert path.read_text() == "my notes"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Where no lock file can be made, the error says where and why."""
    with pytest.raises(StoreError, match=r"nowhere/x\.lock.*No such file"):
        LockFile.acquire(tmp_path / "nowhere" / "x.lock")
