"""The actor that paints: it loads its networks once, then turns blocks of inputs into rows of the manifest."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from photo2anime.batch.listing import target_of
from photo2anime.batch.records import BatchStyle, Job, Row, records_of, table_of
from photo2anime.batch.store import Store, read_address
from photo2anime.images.image_io import FORMATS, WriteOptions, encode_image, read_image
from photo2anime.options import BatchOptions
from photo2anime.painting import compose
from photo2anime.types import MemoryRanOutError, Photo2AnimeError, Picture
from photo2anime.video.prefetch import prefetch

if TYPE_CHECKING:
    import pyarrow as pa

    from photo2anime.painting.stylizer import Stylizer

_READ_AHEAD, _WRITE_BEHIND = 2, 2  # photos between the stages
MOST_STARTS = 4  # an input that ended its worker so often is left alone


@dataclass(frozen=True, slots=True)
class Plan:
    """What every worker is told. source: the address that inputs lie below, None where each has its own. done: a Ray
    reference to the sorted keys of results that are there. starts: the actor that counts how often an input was begun.
    device: what networks run on.
    """

    options: BatchOptions
    styles: tuple[BatchStyle, ...]
    source: str | None
    done: Any
    starts: Any
    device: str


@dataclass(slots=True)
class Piece:
    """One input in one style on its way through a worker. content: what was read; picture: what is to be written."""

    job: Job
    style: BatchStyle
    row: Row
    content: bytes = b""
    picture: Picture | None = None


class Starts:
    """An actor that knows which inputs are being painted, so that one that kills its workers is noticed."""

    def __init__(self) -> None:
        self.begun: dict[int, int] = {}

    def begin(self, key: int) -> int:
        """How often it has been begun now without an end."""
        self.begun[key] = self.begun.get(key, 0) + 1
        return self.begun[key]

    def end(self, key: int) -> None:
        self.begun.pop(key, None)


class Worker:
    """Paints blocks of Job and returns blocks of Row, in Ray Data's actors. Reading, painting and writing overlap."""

    def __init__(self, plan: Plan) -> None:
        import ray

        if plan.device == "cpu":
            os.environ["PHOTO2ANIME_THREADS"] = "1"  # before a network is loaded: one painting a core
        self.plan, self.options = plan, plan.options
        self.dest = Store(plan.options.dest)
        self.source = Store(plan.source) if plan.source is not None else None
        self.stylizers = {style.name: load(plan.options, style, plan.device) for style in plan.styles}
        self.done: NDArray[np.uint64] = ray.get(plan.done)

    def __call__(self, block: pa.Table) -> pa.Table:
        jobs = records_of(Job, block)
        painted = prefetch(self._painted(prefetch(self._read(jobs), _READ_AHEAD)), _WRITE_BEHIND)
        return table_of(Row, [self._written(piece) for piece in painted])

    def _read(self, jobs: Iterable[Job]) -> Generator[Piece, None, None]:
        """Each input in each style that is not there yet, with its bytes; what is there has a row that says so."""
        for job in jobs:
            content, failed = b"", ""
            for style in self.plan.styles:
                target = target_of(job, style.name, self.options.suffix, self.options.name_as)
                row = Row(job.address, style.name, "painted", style.key(job), target, model_sha256=style.model_sha256)
                try:
                    if self._is_done(row):
                        yield Piece(job, style, replace(row, status="there"))
                        continue
                    if not content and not failed:
                        content = content_of(job, self.source)
                except Photo2AnimeError as error:
                    failed = str(error)
                if failed:
                    yield Piece(job, style, replace(row, status="failed", reason=failed))
                else:
                    digest = hashlib.sha256(content).hexdigest()
                    yield Piece(job, style, replace(row, size=len(content), sha256=digest), content)

    def _is_done(self, row: Row) -> bool:
        return is_done(row, self.done, self.dest)

    def _painted(self, pieces: Generator[Piece, None, None]) -> Generator[Piece, None, None]:
        picture: Picture | None = None  # the last photo decoded, for its other styles
        of: Job | None = None
        for piece in pieces:
            if piece.row.status == "painted":
                picture = self._paint_piece(piece, picture if of == piece.job else None)
                of = piece.job
            yield piece

    def _paint_piece(self, piece: Piece, picture: Picture | None) -> Picture | None:
        """Puts the painting, or why there is none, into the piece; the photo, for its other styles. picture: the photo
        where it is decoded already.
        """
        started = time.perf_counter()
        try:
            self._refuse_deadly(piece)
            picture = picture or self._decoded(piece.content)
            piece.picture = self._paint(piece.style, picture)
            height, width = piece.picture.rgb.shape[:2]
            piece.row = replace(piece.row, width=width, height=height, seconds=time.perf_counter() - started)
        except (Photo2AnimeError, MemoryError) as error:
            piece.row = failed_row(piece.row, error)
        except Exception as error:  # noqa: BLE001  whatever one photo does, the others go on
            piece.row = failed_row(piece.row, Photo2AnimeError(f"{type(error).__name__}: {error}"))
        self.plan.starts.end.remote(piece.row.key)  # before the next one begins, which may be the deadly one
        piece.content = b""
        return picture

    def _refuse_deadly(self, piece: Piece) -> None:
        """Raises Photo2AnimeError for an input that has ended its worker again and again."""
        import ray

        if ray.get(self.plan.starts.begin.remote(piece.row.key)) > MOST_STARTS:
            raise Photo2AnimeError(f"ended its worker {MOST_STARTS} times; is it damaged, or memory too small?")

    def _decoded(self, content: bytes) -> Picture:
        return decoded(content, self.options)

    def _paint(self, style: BatchStyle, picture: Picture) -> Picture:
        painted = self.stylizers[style.name].paint_picture(picture, self.options.paint.look).picture
        return compose.beside(picture, painted) if self.options.paint.side_by_side else painted

    def _written(self, piece: Piece) -> Row:
        """The row, after the result is in its place."""
        row = piece.row
        if piece.picture is not None:
            try:
                self.dest.write(row.target, encode_image(piece.picture, write_options(self.options, row.target)))
            except (Photo2AnimeError, MemoryError) as error:
                row = failed_row(row, error)
        return replace(row, worker=worker_name(), time=time.time())


def content_of(job: Job, source: Store | None) -> bytes:
    """The bytes of an input. source: that inputs lie below, None where each has an address of its own. Raises
    Photo2AnimeError when they cannot be had.
    """
    return source.read(job.below) if source else read_address(job.address)


def decoded(content: bytes, options: BatchOptions) -> Picture:
    """An input as it is to be painted. Raises Photo2AnimeError for what is no picture, or too large."""
    picture = read_image(content, max_megapixels=options.max_megapixels, enough_px=options.paint.max_side)
    return compose.shrink(picture, options.paint.max_side) if options.paint.max_side else picture


def is_done(row: Row, done: NDArray[np.uint64], dest: Store) -> bool:
    """Whether a result is known and there. done: sorted keys."""
    place = int(np.searchsorted(done, np.uint64(row.key)))
    return place < len(done) and int(done[place]) == row.key and bool(dest.size(row.target))


def worker_name() -> str:
    """Host and process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def load(options: BatchOptions, style: BatchStyle, device: str) -> Stylizer:
    """The style as it was looked up by the driver. Raises Photo2AnimeError where another network has its name."""
    chosen = replace(options.load, device=device, precision=style.precision)
    stylizer = chosen.stylizer(style.asked)
    if (own := model_sha256(stylizer)) != style.model_sha256:
        raise Photo2AnimeError(
            f"{style.name} is another network here (sha256 {own[:12]}..) than where the batch was started "
            f"({style.model_sha256[:12]}..); install the same styles on all machines"
        )
    return stylizer


def model_sha256(stylizer: Stylizer) -> str:
    """The checksum of the style's network."""
    from pathlib import Path

    from photo2anime.inference.weights import BUNDLES, sha256

    return stylizer.card.sha256 or sha256(BUNDLES / Path(stylizer.card.file))


def write_options(options: BatchOptions, target: str) -> WriteOptions:
    """How a result is written: in the format that its name says."""
    write = options.write or WriteOptions()
    return replace(write, format=FORMATS[f".{target.rpartition('.')[2].lower()}"])


def failed_row(row: Row, error: Exception) -> Row:
    """The row of what could not be painted."""
    told = MemoryRanOutError() if isinstance(error, MemoryError) else error
    return replace(row, status="failed", reason=str(told))
