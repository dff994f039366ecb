"""The server's own temporary folder: uploads and results, deleted after a while and at the end."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "photo2anime-serve-"


class Storage:
    """A folder of this process. It is made empty; what ended servers left is removed. most_bytes: what it may hold.

    Its files carry our own names; what a visitor called an upload is kept in memory, to name the result after it.
    """

    def __init__(self, most_bytes: float, keep_seconds: float) -> None:
        self.most_bytes, self.keep_seconds = most_bytes, keep_seconds
        _remove_left_behind()
        self.folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        self._permanent: set[Path] = set()
        self._names: dict[str, str] = {}  # of uploads, by path
        self._in_use: Counter[Path] = Counter()
        self._lock = threading.Lock()
        self._used = (0.0, 0)  # when it was counted, bytes

    def keep_present(self) -> None:
        """What is in the folder now (the page's own pictures) is never swept away."""
        self._permanent = set(self._files())

    def keep(self, *files: Path) -> None:
        """These are never swept away either."""
        self._permanent |= set(files)

    def new_upload(self, extension: str, name: str) -> Path:
        """A path for an upload; it need not become a file. name: what the visitor calls it, for `name_of`."""
        folder = self.folder / "uploads"
        folder.mkdir(exist_ok=True)
        file = folder / f"{uuid.uuid4().hex}{extension}"
        self._names[str(file)] = name
        return file

    def name_of(self, path: str | Path) -> str:
        """What the visitor called an upload, without folders; of other files their name."""
        name = self._names.get(str(path), str(path)).replace("\\", "/").rsplit("/", 1)[-1]
        return "".join(letter for letter in name if letter.isprintable())[:200] or "photo"

    def new_file(self, name: str) -> Path:
        """A path in a new folder of its own; name is a bare file name."""
        folder = self.folder / "results" / uuid.uuid4().hex
        folder.mkdir(parents=True)
        return folder / Path(name).name

    def write(self, name: str, data: bytes) -> Path:
        """A new file of that name with the data. When the disk is full nothing of it stays."""
        file = self.new_file(name)
        try:
            file.write_bytes(data)
        except OSError:
            self.discard(file)
            raise
        return file

    def discard(self, file: Path) -> None:
        """Deletes a result with the folder it has of its own, or an upload."""
        self._names.pop(str(file), None)
        if file.parent.parent == self.folder / "results":
            shutil.rmtree(file.parent, ignore_errors=True)
        else:
            with suppress(OSError):
                file.unlink(missing_ok=True)

    @contextmanager
    def in_use(self, *paths: Path) -> Iterator[None]:
        """A context in which these files, and those in these folders, are not deleted, however old."""
        with self._lock:
            self._in_use.update(paths)
        try:
            yield
        finally:
            with self._lock:
                self._in_use.subtract(paths)
                self._in_use += Counter()  # forgets what is at zero

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

    @property
    def sweep_seconds(self) -> float:
        """How often to call `sweep`, so that no file grows older than keep_seconds."""
        return min(60.0, max(1.0, self.keep_seconds / 10))

    def sweep(self) -> int:
        """Deletes files that would be older than keep_seconds at the next sweep, were it as much again too late, and
        the empty folders they leave; returns how many files. Files that vanish meanwhile are no matter.
        """
        oldest = time.time() - max(0.0, self.keep_seconds - 2 * self.sweep_seconds)
        with self._lock:
            kept = self._permanent | set(self._in_use)
        lasting = {self.folder / "uploads", self.folder / "results"}
        swept = 0
        for path in sorted(self._paths(), reverse=True):  # files before the folders they are in
            if path in lasting or kept & {path, *path.parents}:
                continue
            with suppress(OSError):  # gone, or a folder that is not empty
                if path.lstat().st_mtime >= oldest:
                    continue
                if path.is_dir() and not path.is_symlink():
                    path.rmdir()
                    continue
                path.unlink()
                swept += 1
                self._names.pop(str(path), None)
                if path.parent not in lasting:
                    path.parent.rmdir()
        return swept

    def remove(self) -> None:
        """Deletes the folder and all that is in it; temporary files of this process lie where they did before."""
        if tempfile.tempdir == str(self.folder):
            tempfile.tempdir = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def _files(self) -> list[Path]:
        return [path for path in self._paths() if path.is_file()]

    def _paths(self) -> list[Path]:
        """Everything in the folder. Path.rglob would raise where a folder vanishes under it."""
        return [Path(folder) / name for folder, folders, files in os.walk(self.folder) for name in (*folders, *files)]


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
