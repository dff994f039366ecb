"""The actor that paints: it loads its networks once, then turns blocks of inputs into rows of the manifest."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
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
MOST_DEATHS = 3  # an input that ended its worker so often is left alone


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


class DeadlyInputError(Photo2AnimeError):
    """An input has ended its worker so often that it is left alone."""


class Starts:
    """An actor that knows what is being worked on, so that what kills its workers is noticed."""

    def __init__(self) -> None:
        self.begun: dict[int, int] = {}
        self.inside: dict[int, set[int]] = {}

    def begin(self, key: int, whole: int | None = None) -> int:
        """How often it was begun before without an end; so often it has ended its worker. After MOST_DEATHS it is not
        begun any more. whole: what it is a part of, which then did not do it itself.
        """
        deaths = self.begun.get(key, 0) - sum(self.begun.get(part, 0) for part in self.inside.get(key, ()))
        if deaths < MOST_DEATHS:
            self.begun[key] = self.begun.get(key, 0) + 1
            if whole is not None:
                self.inside.setdefault(whole, set()).add(key)
        return deaths

    def end(self, key: int) -> None:
        """It was begun once less in vain. What it did itself before is kept in mind; what its parts did is over."""
        of_parts = sum(self.begun.pop(part, 0) for part in self.inside.pop(key, ()))
        deaths = self.begun.pop(key, 1) - 1 - of_parts
        if deaths > 0:
            self.begun[key] = deaths


@contextmanager
def noted(starts: Any, key: int, whole: int | None = None) -> Iterator[None]:
    """Lets the block be known to the actor `Starts` as key's, part of whole. Raises DeadlyInputError, and does nothing,
    for what has ended its worker again and again.
    """
    import ray

    if ray.get(starts.begin.remote(key, whole)) >= MOST_DEATHS:
        raise DeadlyInputError(f"ended its worker {MOST_DEATHS} times; is it damaged, or memory too small?")
    try:
        yield
    finally:
        starts.end.remote(key)  # before the next one begins, which may be the deadly one


def key_of_part(whole: int, number: int) -> int:
    """64 bits for a part of what has a key."""
    return (whole + 1 + number) % 2**64


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
        whole = key_of_part(self.plan.styles[0].key(jobs[0]), 0)
        try:
            with noted(self.plan.starts, whole):
                painted = prefetch(self._painted(prefetch(self._read(jobs), _READ_AHEAD), whole), _WRITE_BEHIND)
                return table_of(Row, [self._written(piece) for piece in painted])
        except DeadlyInputError as error:
            told = Photo2AnimeError(f"it, or one of the {len(jobs) - 1} that are read and written with it, {error}")
            rows = [failed_row(self._row(job, style), told) for job in jobs for style in self.plan.styles]
            return table_of(Row, [replace(row, worker=worker_name(), time=time.time()) for row in rows])

    def _row(self, job: Job, style: BatchStyle) -> Row:
        """As it will be when all goes well."""
        target = target_of(job, style.name, self.options.suffix, self.options.name_as)
        return Row(job.address, style.name, "painted", style.key(job), target, model_sha256=style.model_sha256)

    def _read(self, jobs: Iterable[Job]) -> Generator[Piece, None, None]:
        """Each input in each style that is not there yet, with its bytes; what is there has a row that says so."""
        for job in jobs:
            content, failed = b"", job.problem
            for style in self.plan.styles:
                row = self._row(job, style)
                try:
                    if not failed and self._is_done(row):
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

    def _painted(self, pieces: Generator[Piece, None, None], whole: int) -> Generator[Piece, None, None]:
        picture: Picture | None = None  # the last photo decoded, for its other styles
        of: Job | None = None
        for piece in pieces:
            if piece.row.status == "painted":
                picture = self._paint_piece(piece, picture if of == piece.job else None, whole)
                of = piece.job
            yield piece

    def _paint_piece(self, piece: Piece, picture: Picture | None, whole: int) -> Picture | None:
        """Puts the painting, or why there is none, into the piece; the photo, for its other styles. picture: the photo
        where it is decoded already. whole: the key of what the piece is a part of.
        """
        started = time.perf_counter()
        try:
            with noted(self.plan.starts, piece.row.key, whole):
                picture = picture or self._decoded(piece.content)
                piece.picture = self._paint(piece.style, picture)
            height, width = piece.picture.rgb.shape[:2]
            piece.row = replace(piece.row, width=width, height=height, seconds=time.perf_counter() - started)
        except (Photo2AnimeError, MemoryError) as error:
            piece.row = failed_row(piece.row, error)
        except Exception as error:  # noqa: BLE001  whatever one photo does, the others go on
            piece.row = failed_row(piece.row, Photo2AnimeError(f"{type(error).__name__}: {error}"))
        piece.content = b""
        return picture

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
