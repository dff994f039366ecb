"""Files that wait beside their target until they are whole, and go when the process that wrote them was killed."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

_swept: set[tuple[int, str]] = set()  # process and folder: looked through once


def open_temporary(folder: Path) -> IO[bytes]:
    """A new hidden file in the folder, `name` its path, locked while it is open where the system has such locks.

    The first one in a folder takes away those that killed processes have left there: nobody holds their lock.
    """
    if (key := (os.getpid(), str(folder))) not in _swept:
        _swept.add(key)
        _sweep(folder)
    while True:
        file = open(folder / f".photo2anime-{os.getpid()}-{threading.get_ident()}.tmp", "xb")  # noqa: SIM115
        _lock(file)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), os.stat(file.name)):
                return file
        file.close()  # another process swept it away before it was locked


def write_whole(target: Path, content: bytes) -> None:
    """Content as a file that appears whole or not at all. Raises OSError."""
    with whole_file(target) as file:
        file.write(content)


@contextmanager
def whole_file(target: Path) -> Iterator[IO[bytes]]:
    """A file to write that appears under its name when all is written, or not at all: temporary file beside it, fsync,
    rename. Raises OSError.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary: Path | None = None
    try:
        with open_temporary(target.parent) as file:
            temporary = Path(file.name)
            yield file
            file.flush()
            os.fsync(file.fileno())
            put_in_place(file, target)
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def put_in_place(file: IO[bytes], target: Path) -> None:
    """Gives the temporary file, which is whole and on the disk, its final name, and closes it."""
    if sys.platform == "win32":  # where open files cannot be renamed
        file.close()
    os.replace(file.name, target)  # under its lock, so that no other process takes it away before
    file.close()


def _sweep(folder: Path) -> None:
    if sys.platform == "win32":  # where open files are not deleted, and a lock would keep them from their name
        return
    for left in folder.glob(".photo2anime-*.tmp"):
        with suppress(OSError), open(left, "rb") as file:
            if _lock(file):
                left.unlink()


def _lock(file: IO[bytes]) -> bool:
    """Whether the file is this process's now. Without locks in the file system nothing is."""
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
