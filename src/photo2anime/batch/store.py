"""A folder or an address such as s3://bucket/photos as a store: list, read, write whole. Only here is pyarrow.fs used.

Requests that fail are repeated: one in twenty may, and every photo still arrives.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from photo2anime.images.image_io import why_not_written
from photo2anime.images.temporary import whole_file, write_whole
from photo2anime.types import Photo2AnimeError

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem

T = TypeVar("T")
_PAUSES = (0.1, 0.3, 1.0, 3.0, 9.0)  # seconds before a failed request is made again
_FINAL = {errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.ENOSPC, errno.EROFS}
_FINAL_WORDS = ("ACCESS_DENIED", "NO_SUCH_BUCKET", "NO_SUCH_KEY", "INVALID_ACCESS_KEY", "SIGNATURE", "does not exist")
_NANOSECONDS = 10**9


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in a store. below: its path under the store's root, / between. modified: nanoseconds since 1970.

    problem: of a folder that stands for what is in it, why that cannot be listed.
    """

    below: str
    size: int
    modified: int
    problem: str = ""


class Store:
    """What lies below an address; the address alone is enough to open it in another process.

    Raises Photo2AnimeError for an address of a kind that nothing here can open.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.is_local = is_local(address)
        self.files, self.root = _opened(address)

    def name(self, below: str) -> str:
        """The address of a file below the root, without what stands after a question mark."""
        return f"{urlsplit(self.address)._replace(query='').geturl().rstrip('/')}/{below}"

    def read(self, below: str) -> bytes:
        """All bytes of a file. Raises Photo2AnimeError when it cannot be had."""

        def once() -> bytes:
            with self.files.open_input_file(self._path(below)) as file:
                content: bytes = file.read()
                return content

        return _tried(once, "read")

    def write(self, below: str, content: bytes) -> None:
        """Puts a file there, whole or not at all. Raises Photo2AnimeError when it cannot be written."""
        if self.is_local:
            target = Path(self._path(below))
            try:
                write_whole(target, content)
            except OSError as error:
                raise Photo2AnimeError(why_not_written(target, error)) from error
        else:
            _tried(lambda: self._put(below, content), "written")

    def size(self, below: str) -> int | None:
        """How many bytes a file has; None when it is not there."""
        found: FileInfo = _tried(lambda: self.files.get_file_info(self._path(below)), "looked for")
        return found.size if found.is_file else None

    def exists(self, below: str = "") -> bool:
        """Whether there is a file or a folder of that name."""
        found: FileInfo = _tried(lambda: self.files.get_file_info(self._path(below)), "looked for")
        return str(found.type.name) != "NotFound"

    def stream(self, below: str) -> IO[bytes]:
        """A file to be read once from its beginning; close it. Raises Photo2AnimeError when it cannot be opened."""
        opened: IO[bytes] = _tried(lambda: self.files.open_input_stream(self._path(below)), "read")
        return opened

    def fetch(self, below: str, file: Path) -> None:
        """Copies a file of any size to this machine."""

        def once() -> None:
            with self.files.open_input_stream(self._path(below)) as source, open(file, "wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)

        _tried(once, "read")

    def send(self, file: Path, below: str) -> None:
        """Copies a file of any size from this machine, whole or not at all."""

        def once() -> None:
            place = self._path(below)
            opened = whole_file(Path(place)) if self.is_local else self.files.open_output_stream(place)
            with open(file, "rb") as source, opened as target:
                shutil.copyfileobj(source, target, 1 << 20)

        _tried(once, "written")

    def remove_folder(self, below: str) -> None:
        """Deletes a folder and all in it."""
        _tried(lambda: self.files.delete_dir(self._path(below)), "deleted")

    def walk(self, folder: str = "") -> Iterator[Entry]:
        """Every file below a folder, hidden ones and links to folders left out; one folder's names in memory at a
        time, and of a local folder not even those. A folder below it that cannot be listed is an entry itself. Raises
        Photo2AnimeError when this one cannot.
        """
        listed = self._scan_locally(folder) if self.is_local else self._scan(folder)
        folders = []
        for entry in listed:
            if isinstance(entry, str):
                folders.append(entry)
            else:
                yield entry
        for below in sorted(folders):
            try:
                yield from self.walk(below)
            except Photo2AnimeError as error:
                yield Entry(below, -1, 0, str(error))

    def _scan(self, folder: str) -> Iterator[Entry | str]:
        """The files of one folder, and its folders by their paths."""
        from pyarrow.fs import FileSelector

        selector = FileSelector(self._path(folder), allow_not_found=bool(folder))
        for found in _tried(lambda: self.files.get_file_info(selector), "listed"):
            below = f"{folder}/{found.base_name}".lstrip("/")
            if found.base_name.startswith("."):
                continue
            if found.is_file:
                modified = int(found.mtime.timestamp()) * _NANOSECONDS if found.mtime else 0
                yield Entry(below, found.size, modified)
            else:
                yield below

    def _scan_locally(self, folder: str) -> Iterator[Entry | str]:
        try:
            with os.scandir(self._path(folder)) as found:
                for entry in (entry for entry in found if not entry.name.startswith(".")):
                    below = f"{folder}/{entry.name}".lstrip("/")
                    if entry.is_dir(follow_symlinks=False):
                        yield below
                    elif entry.is_file():
                        stat = entry.stat()
                        yield Entry(below, stat.st_size, stat.st_mtime_ns)
        except OSError as error:
            raise Photo2AnimeError(f"{error.filename}: cannot be listed ({error.strerror})") from error

    def _path(self, below: str) -> str:
        return f"{self.root.rstrip('/')}/{below}".rstrip("/") if below else self.root

    def _put(self, below: str, content: bytes) -> None:
        with self.files.open_output_stream(self._path(below)) as file:  # an object appears when it is closed
            file.write(content)


def is_local(address: str) -> bool:
    """Whether an address is a path on this machine."""
    scheme = urlsplit(address).scheme
    return len(scheme) < 2 or scheme == "file"  # C: is a drive


def absolute(address: str) -> str:
    """The address in the form that means the same in every process."""
    if not is_local(address):
        return address
    return os.path.abspath(urlsplit(address).path if address.startswith("file:") else address)


def read_address(address: str) -> bytes:
    """All bytes behind an address that stands alone, as in a list. Raises Photo2AnimeError when it cannot be had."""
    folder, _, name = absolute(address).rpartition("/")
    return _store(folder).read(name)


@cache
def _store(folder: str) -> Store:
    return Store(folder)


def _opened(address: str) -> tuple[FileSystem, str]:
    import pyarrow as pa
    from pyarrow import fs

    if is_local(address):
        return fs.LocalFileSystem(), absolute(address)
    try:
        return fs.FileSystem.from_uri(address)  # type: ignore[no-any-return]
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        return _by_fsspec(address, error)
    except OSError as error:
        raise Photo2AnimeError(f"{address} cannot be reached ({_line(error)})") from error


def _by_fsspec(address: str, why: Exception) -> tuple[FileSystem, str]:
    """What pyarrow does not know by itself, as az://, through fsspec and its packages."""
    import fsspec
    from pyarrow import fs

    try:
        files, root = fsspec.core.url_to_fs(address)
    except (ValueError, ImportError) as error:
        raise Photo2AnimeError(f"{address} is no address that can be opened ({_line(error)}; {_line(why)})") from error
    return fs.PyFileSystem(fs.FSSpecHandler(files)), root


def _tried(work: Callable[[], T], done: str) -> T:
    """What work returns, after some more tries. Raises Photo2AnimeError with the last reason."""
    for pause in (*_PAUSES, None):
        try:
            return work()
        except OSError as error:
            final = error.errno in _FINAL or any(word in str(error) for word in _FINAL_WORDS)
            if final or pause is None:
                missing = isinstance(error, FileNotFoundError) or error.errno == errno.ENOENT
                reason = "no such file" if missing else f"cannot be {done} ({_line(error)})"
                raise Photo2AnimeError(reason) from error
            time.sleep(pause)
    raise AssertionError("unreachable")


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
