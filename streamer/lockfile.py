"""
A lock on a session store: one server at a time, and the next one learns who holds it.

The lock is the kernel's (``flock``) and ends with the process, however it
ends; the file only tells people which process that is. Where there is no
``flock`` (Windows), nothing is locked, and it is for the operator to run one
server on a store.
"""

from __future__ import annotations

import os
from pathlib import Path

from streamer.errors import StoreError, StoreInUseError

try:
    import fcntl
except ImportError:  # Windows has no flock.
    fcntl = None  # type: ignore[assignment]

_LONGEST_PID = 20


class LockFile:
    """A lock that this process holds until :meth:`release`; made by :meth:`acquire`."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, path: Path) -> LockFile:
        """
        Take the lock at once, or say who has it.

        Raises:
            StoreError: If another process (or another part of this one) holds
                the lock, if the file cannot be made, or if a file that is no
                lock of ours is in its place.

        """
        while True:
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise StoreError(
                    f"{path}: the lock file cannot be made ({error.strerror}); expected a folder "
                    "that this user may write"
                ) from error
            try:
                if cls._lock(path, descriptor):
                    return cls(path, descriptor)
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    @staticmethod
    def _lock(path: Path, descriptor: int) -> bool:
        """Lock an open file; return whether it is still the file of that name."""
        try:
            if fcntl is not None:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, _LONGEST_PID, 0).decode("ascii", "replace").strip()
            raise StoreInUseError(
                f"{path}: the session store is in use by process {holder or '(unknown)'}; "
                "expected one server on a store: stop that process, or choose another file"
            ) from None
        # Whoever held the lock removed the file when it let go, perhaps
        # after we had opened it: then ours is a lock on nothing.
        try:
            if not os.path.samestat(os.fstat(descriptor), path.stat()):
                return False
        except FileNotFoundError:
            return False
        found = os.pread(descriptor, _LONGEST_PID + 1, 0).strip()
        if found and not found.isdigit():
            raise StoreError(
                f"{path}: holds {found!r}, so it is no lock of this server; expected an absent "
                "file or a process id: move it away, or choose another file for the store"
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        return True

    def release(self) -> None:
        """Let the next process in; calling it again does nothing."""
        if self._descriptor < 0:
            return
        # Removed while still locked: a newcomer finds either our lock or no file.
        if fcntl is not None:
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = -1
