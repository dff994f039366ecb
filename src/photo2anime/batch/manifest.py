"""The manifest: Parquet files below DEST that say of every input and style what became of it."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from photo2anime.batch.records import Row, records_of, table_of
from photo2anime.batch.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER = "photo2anime-manifest"
_ROWS_A_PART = 20_000
_SECONDS_A_PART = 10.0  # what is lost of it, and painted again, when the driver dies


class ManifestWriter:
    """Collects rows and puts them into DEST as parts, each whole or not at all. run: the first part of their names."""

    def __init__(self, dest: Store, run: str) -> None:
        self.dest, self.run = dest, run
        self.waiting: list[Row] = []
        self.parts = 0
        self.since = 0.0  # when the first of them came

    def add(self, row: Row) -> None:
        """Takes a row; sometimes writes a part."""
        self.since = self.since if self.waiting else time.monotonic()
        self.waiting.append(row)
        if len(self.waiting) >= _ROWS_A_PART or time.monotonic() - self.since >= _SECONDS_A_PART:
            self.flush()

    def flush(self) -> None:
        """Writes what is waiting."""
        import pyarrow.parquet as pq

        if not self.waiting:
            return
        file = io.BytesIO()
        pq.write_table(table_of(Row, self.waiting), file, compression="zstd")
        self.dest.write(f"{FOLDER}/{self.run}-{self.parts:06}.parquet", file.getvalue())
        self.parts += 1
        self.waiting = []


def read_manifest(dest: str) -> list[Row]:
    """The last row of each result of a folder of results, in the order they were done; all in memory."""
    last: dict[tuple[str, str], Row] = {}
    for part in read_parts(Store(dest)):
        for row in records_of(Row, part):
            before = last.get((row.address, row.style))
            if before is None or before.time <= row.time:
                last[row.address, row.style] = row
    return sorted(last.values(), key=lambda row: row.time)


def done_keys(dest: Store) -> NDArray[np.uint64]:
    """Keys of all results that the manifest has, sorted: 8 bytes each, however long the manifest is."""
    found = [np.empty(0, np.uint64)]
    for part in read_parts(dest, ["key", "status"]):
        keys = part["key"].to_numpy()
        found.append(keys[np.isin(part["status"].to_numpy(), ("painted", "packed"))])
    return np.unique(np.concatenate(found))


def mean_seconds(dest: Store) -> tuple[int, float]:
    """How many results the manifest has, and what one took on average; (0, 0) for none."""
    count, seconds = 0, 0.0
    for part in read_parts(dest, ["seconds", "status"]):
        took = part["seconds"].to_numpy()[part["status"].to_numpy() == "painted"]
        count, seconds = count + len(took), seconds + float(took.sum())
    return count, seconds / count if count else 0.0


def read_parts(dest: Store, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """The manifest's files in the order of their names, one at a time. columns: None is all."""
    import pyarrow.parquet as pq

    if not dest.exists(FOLDER):
        return
    names = (entry.below for entry in dest.walk(FOLDER))
    for name in sorted(name for name in names if name.endswith(".parquet")):
        yield pq.read_table(io.BytesIO(dest.read(name)), columns=columns)
