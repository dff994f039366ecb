"""Tar shards in the WebDataset form: a shard of photos becomes a shard of paintings, whole or not at all.

A sample's members share the name before the first dot. Its photos are painted and keep their names; captions, classes
and whatever else is in the shard go over as they are, in their order.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from photo2anime.batch.listing import suffix_of, target_of
from photo2anime.batch.records import BatchStyle, Job, Row, records_of, table_of
from photo2anime.batch.worker import Piece, Worker, failed_row, noted, worker_name, write_options
from photo2anime.images.image_io import READABLE, encode_image
from photo2anime.types import Photo2AnimeError
from photo2anime.video.prefetch import prefetch

if TYPE_CHECKING:
    import pyarrow as pa

_READ_AHEAD, _WRITE_BEHIND = 4, 4  # members between the stages


@dataclass(slots=True)
class Member:
    """A member of a shard on its way. piece: of a photo, what is made of it."""

    info: tarfile.TarInfo
    content: bytes
    piece: Piece | None


class ShardWorker(Worker):
    """Paints shards, one a call, in Ray Data's actors. A killed one begins its shard again."""

    def __call__(self, block: pa.Table) -> pa.Table:
        rows: list[Row] = []
        for job in records_of(Job, block):
            for style in self.plan.styles:
                rows += self._shard(job, style)
        return table_of(Row, rows)

    def _shard(self, job: Job, style: BatchStyle) -> list[Row]:
        """A row for each photo, and one for the shard, which says that it is complete."""
        target = target_of(job, style.name, ".tar", self.options.name_as)
        row = Row(job.address, style.name, "packed", style.key(job), target, job.size)
        row = replace(row, model_sha256=style.model_sha256, worker=worker_name(), time=time.time())
        if self._is_done(row):
            return [replace(row, status="there")]
        try:
            with noted(self.plan.starts, row.key), TemporaryDirectory(prefix="photo2anime-") as folder:
                file = Path(folder, "shard.tar")
                rows = list(self._packed(job, row, style, file))
                self.dest.send(file, target)
        except (Photo2AnimeError, MemoryError) as error:
            return [failed_row(row, error)]
        except (tarfile.TarError, OSError, EOFError) as error:
            return [failed_row(row, Photo2AnimeError(f"is damaged or cut short ({error}); copy it again"))]
        return [*rows, replace(row, time=time.time())]

    def _packed(self, job: Job, shard: Row, style: BatchStyle, file: Path) -> Iterator[Row]:
        """Writes the shard of paintings to file; a photo that cannot be painted is not in it."""
        members = prefetch(self._members(job, shard, style), _READ_AHEAD)
        with (
            closing(prefetch(self._done_members(members, shard.key), _WRITE_BEHIND)) as painted,
            tarfile.open(file, "w") as pack,
        ):
            for member in painted:
                row = member.piece.row if member.piece is not None else None
                content = member.content
                if member.piece is not None and member.piece.picture is not None:
                    content = encode_image(member.piece.picture, write_options(self.options, member.piece.row.target))
                    member.info.name = member.piece.row.target.removeprefix(f"{shard.target}/")
                if row is None or row.status == "painted":
                    member.info.size = len(content)
                    pack.addfile(member.info, io.BytesIO(content))
                if row is not None:
                    yield replace(row, worker=worker_name(), time=time.time())

    def _done_members(self, members: Generator[Member, None, None], whole: int) -> Generator[Member, None, None]:
        """Photos painted, all else untouched."""
        with closing(members):
            for member in members:
                if member.piece is not None:
                    self._paint_piece(member.piece, None, whole)
                yield member

    def _members(self, job: Job, shard: Row, style: BatchStyle) -> Generator[Member, None, None]:
        """The files in a shard as they stream in."""
        assert self.source is not None
        with self.source.stream(job.below) as stream, tarfile.open(fileobj=stream, mode="r|*") as pack:
            for info in pack:
                opened = pack.extractfile(info) if info.isfile() else None
                if opened is None:  # a folder, a link, a device: nothing that belongs into a shard
                    continue
                content = opened.read()
                if PurePosixPath(info.name).suffix.lower() not in READABLE:
                    yield Member(info, content, None)
                    continue
                one = Job(f"{job.address}/{info.name}", info.name, len(content), job.modified)
                name = str(PurePosixPath(info.name).with_suffix(suffix_of(info.name, self.options.suffix)))
                row = Row(one.address, style.name, "painted", style.key(one), f"{shard.target}/{name}", len(content))
                row = replace(row, sha256=hashlib.sha256(content).hexdigest(), model_sha256=style.model_sha256)
                yield Member(info, b"", Piece(one, style, row, content))
