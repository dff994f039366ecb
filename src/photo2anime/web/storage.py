"""The server's own temporary folder: uploads and results, deleted after a while and at the end."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import uuid
from contextlib import suppress
from pathlib import Path

_PREFIX = "photo2anime-serve-"


class Storage:
    """A folder of this process. It is made empty; what ended servers left is removed. most_bytes: what it may hold."""

    def __init__(self, most_bytes: float, keep_seconds: float) -> None:
        self.most_bytes, self.keep_seconds = most_bytes, keep_seconds
        _remove_left_behind()
        self.folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        self._permanent: set[Path] = set()
        self._used = (0.0, 0)  # when it was counted, bytes

    def keep_present(self) -> None:
        """What is in the folder now (the page's own pictures) is never swept away."""
        self._permanent = set(self._files())

    def new_file(self, name: str) -> Path:
        """A path in a new folder of its own; name is a bare file name."""
        folder = self.folder / "results" / uuid.uuid4().hex
        folder.mkdir(parents=True)
        return folder / Path(name).name

    def write(self, name: str, data: bytes) -> Path:
        """A new file of that name with the data."""
        file = self.new_file(name)
        file.write_bytes(data)
        return file

    def holds(self, path: str) -> bool:
        """Whether path is a file of ours, links and dots followed."""
        real = Path(os.path.realpath(path))
        return real.is_file() and Path(os.path.realpath(self.folder)) in real.parents

    def is_full(self) -> bool:
        """Whether no more uploads fit. Counted at most once a second."""
        now = time.monotonic()
        if now - self._used[0] > 1:
            self._used = (now, sum(_size(file) for file in self._files()))
        return self._used[1] >= self.most_bytes

    def sweep(self) -> int:
        """Deletes files older than keep_seconds and the empty folders they leave; returns how many files."""
        oldest = time.time() - self.keep_seconds
        swept = 0
        for file in self._files():
            if file not in self._permanent and file.stat().st_mtime < oldest:
                file.unlink(missing_ok=True)
                with suppress(OSError):  # not empty yet
                    file.parent.rmdir()
                swept += 1
        return swept

    def remove(self) -> None:
        """Deletes the folder and all that is in it; temporary files of this process lie where they did before."""
        if tempfile.tempdir == str(self.folder):
            tempfile.tempdir = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def _files(self) -> list[Path]:
        return [file for file in self.folder.rglob("*") if file.is_file()]


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _remove_left_behind() -> None:
    """Folders of servers that ended without cleaning up, as after a power cut."""
    import psutil

    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        number = folder.name.removeprefix(_PREFIX).split("-")[0]
        if number.isdigit() and not psutil.pid_exists(int(number)):
            shutil.rmtree(folder, ignore_errors=True)
