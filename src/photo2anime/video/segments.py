"""Finished segments on disk, so that a stopped run can resume and still give the same result."""

from __future__ import annotations

import json
import os
import shutil
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from photo2anime.images.temporary import write_whole
from photo2anime.types import Photo2AnimeError
from photo2anime.video.encoder import Coded

State = dict[str, NDArray[Any]]
_LOCK = "lock"
_RECORD = struct.Struct("<qqqBII")  # pts, dts, duration, key, bytes of data and of alpha that follow


class Segments:
    """The folder of coded segments beside a result that is not finished. settings: what has to be equal to go on."""

    def __init__(self, target: Path, settings: dict[str, object]) -> None:
        self.folder = target.with_name(f".{target.name}.photo2anime")
        self.target, self.settings = target, json.loads(json.dumps(settings))
        self.count, self.frames, self.shift = 0, 0, 0
        self._lock: IO[bytes] | None = None

    def open(self, resume: bool) -> State:
        """Makes the folder, which is this run's alone until `remove` or `close`. With resume, counts what is there and
        gives the state that painting goes on from.

        Raises Photo2AnimeError when another run is at work there, or what is there was begun with other settings.
        """
        self._lock = self._locked()
        facts = self.folder / "settings.json"
        if not resume:
            self._clear()
        if facts.exists():
            try:
                self._check(json.loads(facts.read_text(encoding="utf-8")))
            except Photo2AnimeError:
                self.close()
                raise
        else:
            write_whole(facts, json.dumps(self.settings, indent=1).encode())
        while (part := self._part(self.count)).exists():
            with open(part, "rb") as file:
                header = json.loads(file.readline())
            self.frames += header["frames"]
            self.shift = max(self.shift, header["shift"])
            self.count += 1
        if self.count == 0:
            return {}
        with np.load(self._state(self.count - 1)) as saved:
            return dict(saved)

    def add(self, packets: list[Coded], shift: int, state: State) -> None:
        """Stores a segment; it counts as finished once all of it is on the disk."""
        state_file = self._state(self.count)
        with open(state_file, "wb") as file:
            np.savez(file, **state)  # type: ignore[arg-type]  # numpy's stubs take ** for its own options
        header = {"frames": len(packets), "shift": shift}
        records = (
            _RECORD.pack(p.pts, p.dts, p.duration, p.key, len(p.data), len(p.alpha)) + p.data + p.alpha for p in packets
        )
        write_whole(self._part(self.count), json.dumps(header).encode() + b"\n" + b"".join(records))
        self._state(self.count - 1).unlink(missing_ok=True)
        self.count, self.frames, self.shift = self.count + 1, self.frames + len(packets), max(self.shift, shift)

    def packets(self) -> Iterator[Coded]:
        """All packets in coding order, one segment in memory at a time."""
        for number in range(self.count):
            content = self._part(number).read_bytes()
            at = content.index(b"\n") + 1
            while at < len(content):
                pts, dts, duration, key, size, beside = _RECORD.unpack_from(content, at)
                at += _RECORD.size
                data, alpha = content[at : at + size], content[at + size : at + size + beside]
                yield Coded(data, pts, dts - self.shift, duration, bool(key), alpha)
                at += size + beside

    def close(self) -> None:
        """Releases the lock, so that another run can resume."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def remove(self) -> None:
        """Deletes the folder, if it is this run's."""
        if self._lock is None:
            return
        self._clear()
        if sys.platform == "win32":  # where open files cannot be deleted
            self.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.count = self.frames = 0
        self.close()

    def _locked(self) -> IO[bytes]:
        """The folder's lock file, open and locked. The system unlocks it when this process ends, however that is."""
        name = self.folder / _LOCK
        while True:
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                file = open(name, "ab")  # noqa: SIM115  stays open as long as the lock is wanted
            except FileNotFoundError:  # the other run has just taken the folder away
                continue
            if not _try_to_lock(file):
                file.close()
                raise Photo2AnimeError(
                    f"{self.target} is being made by another run; wait for its end, or give another -o"
                )
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), name.stat()):
                    return file
            file.close()

    def _clear(self) -> None:
        """Deletes all in the folder but the lock."""
        for file in self.folder.iterdir():
            if file.name != _LOCK:
                file.unlink()

    def _check(self, begun: dict[str, object]) -> None:
        names = sorted(name for name in {*begun, *self.settings} if begun.get(name) != self.settings.get(name))
        if names:
            was = ", ".join(f"{name} was {begun.get(name)}, is {self.settings.get(name)}" for name in names)
            raise Photo2AnimeError(f"cannot go on with what was begun: {was}; repeat that, or leave --resume out")

    def _part(self, number: int) -> Path:
        return self.folder / f"{number:06}.part"

    def _state(self, number: int) -> Path:
        return self.folder / f"{number:06}.npz"


def _try_to_lock(file: IO[bytes]) -> bool:
    """Whether nobody else had the file locked."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a file system without locks: better to paint than not
        return True
    return True
