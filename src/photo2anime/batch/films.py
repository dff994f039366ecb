"""Videos in a batch: cut into parts that many workers paint, and put together as `photo2anime video` does, to the byte.

What goes from frame to frame is followed first, by one pass without painting: each part begins with the faces as they
are there. Painted frames wait in DEST; then one task steadies and codes them in their order, with the code of `video`.
"""

from __future__ import annotations

import io
import pickle
import time
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from photo2anime.batch.cluster import Crew, own_errors
from photo2anime.batch.records import BatchStyle, Job, Row, records_of, table_of
from photo2anime.batch.store import Store
from photo2anime.batch.worker import Plan, key_of_part, load, noted, worker_name
from photo2anime.options import VideoOptions
from photo2anime.types import RGB, Photo2AnimeError

if TYPE_CHECKING:
    import pyarrow as pa

PART_FRAMES = 240  # at least, that one worker paints at a time
_MOST_PARTS = 64  # of a film: each part decodes all that comes before it
_CHUNK_FRAMES = 16  # painted frames in one file that waits in DEST
WAITING = "photo2anime-waiting"  # the folder of such files


@dataclass(frozen=True, slots=True)
class Part:
    """Some frames of a film in a style. number: of the film in the plan. state: what the painter remembers before the
    first of them, pickled arrays of our own. reason: why there are none.
    """

    number: int
    first: int = 0
    frames: int = 0
    state: bytes = b""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Film:
    """A video to paint in a style."""

    job: Job
    style: BatchStyle

    @property
    def target(self) -> str:
        """As `video` calls it."""
        from photo2anime.video.encoder import CONTAINERS

        place = PurePosixPath(self.job.below)
        suffix = place.suffix.lower() if place.suffix.lower() in CONTAINERS else ".mp4"
        return str(place.parent / f"{place.stem}-{self.style.name}{suffix}")

    @property
    def key(self) -> int:
        return self.style.key(self.job)

    @property
    def waiting(self) -> str:
        return f"{WAITING}/{self.key:016x}"

    def row(self, **facts: Any) -> Row:
        style = self.style
        row = Row(self.job.address, style.name, "painted", self.key, self.target, self.job.size)
        return replace(row, model_sha256=style.model_sha256, worker=worker_name(), time=time.time(), **facts)


def paint_films(
    jobs: Iterator[Job], plan: Plan, dest: Store, crew: Crew, done: Callable[[Row], bool]
) -> Generator[Row, None, None]:
    """A row for each film and style, when it is ready. done: whether a result is there already."""
    films = []
    for film in (Film(job, style) for job in jobs for style in plan.styles):
        if done(film.row()):
            yield film.row(status="there")
        else:
            films.append(film)
    if films:
        with own_errors():
            yield from _painted(films, plan, dest, crew)


def _painted(films: list[Film], plan: Plan, dest: Store, crew: Crew) -> Generator[Row, None, None]:
    import ray

    numbers = [{"number": number} for number in range(len(films))]
    cut = ray.data.from_items(numbers, override_num_blocks=len(films)).map_batches(
        partial(_cut, films=films, plan=plan, part_frames=PART_FRAMES), batch_size=1, batch_format="pyarrow"
    )
    parts = [part for table in cut.iter_batches(batch_size=None, batch_format="pyarrow") for part in _parts(table)]
    painted = ray.data.from_arrow([table_of(Part, [part]) for part in parts if part.frames]).map_batches(
        PartPainter,
        fn_constructor_args=(films, plan),
        batch_size=1,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=crew.workers),
        num_cpus=0 if crew.gpus else 1,
        num_gpus=crew.gpus,
    )
    reasons = {part.number: part.reason for part in parts if part.reason}
    if any(part.frames for part in parts):
        for table in painted.iter_batches(batch_size=None, batch_format="pyarrow"):
            reasons |= {part.number: part.reason for part in _parts(table) if part.reason}
    for number, reason in reasons.items():
        yield films[number].row(status="failed", reason=reason)
    whole = [one for one in numbers if one["number"] not in reasons]
    if whole:
        finished = ray.data.from_items(whole, override_num_blocks=len(whole)).map_batches(
            partial(_finish, films=films, plan=plan), batch_size=1, batch_format="pyarrow"
        )
        for table in finished.iter_batches(batch_size=None, batch_format="pyarrow"):
            yield from records_of(Row, table)


def _parts(table: pa.Table) -> list[Part]:
    return records_of(Part, table)


def _cut(block: pa.Table, films: list[Film], plan: Plan, part_frames: int) -> pa.Table:
    """Runs in a task: the parts of one film, each with the state before it; of one that is no film, the reason."""
    (number,) = block["number"].to_pylist()
    try:
        with noted(plan.starts, films[number].key):
            return table_of(Part, _cuts(number, films[number], plan, part_frames))
    except Photo2AnimeError as error:
        return table_of(Part, [Part(number, reason=str(error))])


def _cuts(number: int, film: Film, plan: Plan, part_frames: int) -> list[Part]:
    from photo2anime.video.face_tracking import FramePainter
    from photo2anime.video.source import VideoSource

    parts: list[Part] = []
    follower = FramePainter(load(plan.options, film.style, plan.device), plan.options.paint.look)
    with _local(film.job, plan) as file, VideoSource(file, max_side=plan.options.paint.max_side) as source:
        most = -(-(source.facts.frames or 0) // _MOST_PARTS)
        length = -(-max(part_frames, most) // _CHUNK_FRAMES) * _CHUNK_FRAMES
        for at, frame in enumerate(source.frames()):
            if at % length == 0:
                parts.append(Part(number, at, 0, pickle.dumps(follower.state)))
            parts[-1] = replace(parts[-1], frames=parts[-1].frames + 1)
            follower.follow(frame.rgb)
    if not parts:
        raise Photo2AnimeError(f"{film.job.address}: no frame could be decoded")
    return parts


class PartPainter:
    """Paints parts in Ray Data's actors; what is in DEST already from a run that was stopped is left."""

    def __init__(self, films: list[Film], plan: Plan) -> None:
        self.films, self.plan = films, plan
        self.dest = Store(plan.options.dest)
        self.stylizers = {style.name: load(plan.options, style, plan.device) for style in plan.styles}

    def __call__(self, block: pa.Table) -> pa.Table:
        (part,) = _parts(block)
        try:
            with noted(self.plan.starts, key_of_part(self.films[part.number].key, part.first)):
                self._paint(part)
        except (Photo2AnimeError, MemoryError) as error:
            return table_of(Part, [replace(part, state=b"", reason=str(error) or "memory ran out")])
        return table_of(Part, [replace(part, state=b"")])

    def _paint(self, part: Part) -> None:
        from photo2anime.video.face_tracking import FramePainter
        from photo2anime.video.source import VideoSource

        film, look = self.films[part.number], self.plan.options.paint.look
        last = (part.first + part.frames - 1) // _CHUNK_FRAMES
        if self.dest.size(f"{film.waiting}/{last:08}") is not None:  # chunks come in their order
            return
        painter = FramePainter(self.stylizers[film.style.name], look)
        painter.state = pickle.loads(part.state)  # noqa: S301  our own driver wrote it
        limit = self.plan.options.paint.max_side
        with _local(film.job, self.plan) as file, VideoSource(file, max_side=limit) as source:
            frames = source.frames(part.first)
            for begin in range(part.first, part.first + part.frames, _CHUNK_FRAMES):
                count = min(_CHUNK_FRAMES, part.first + part.frames - begin)
                painted = [painter(frame.rgb) for frame in islice(frames, count)]
                self.dest.write(f"{film.waiting}/{begin // _CHUNK_FRAMES:08}", _packed(painted))
            frames.close()


def _finish(block: pa.Table, films: list[Film], plan: Plan) -> pa.Table:
    """Runs in a task: the film from its painted frames, in its place; they are gone then."""
    (number,) = block["number"].to_pylist()
    film, began = films[number], time.perf_counter()
    try:
        with noted(plan.starts, film.key):
            height, width = _whole_film(film, plan)
    except (Photo2AnimeError, MemoryError) as error:
        return table_of(Row, [film.row(status="failed", reason=str(error) or "memory ran out")])
    Store(plan.options.dest).remove_folder(film.waiting)
    row = film.row(seconds=time.perf_counter() - began, height=height, width=width)
    return table_of(Row, [row])


def _whole_film(film: Film, plan: Plan) -> tuple[int, int]:
    """Steadies and codes; (height, width) of the frames."""
    from photo2anime.video.convert import Run
    from photo2anime.video.source import VideoSource

    dest, paint = Store(plan.options.dest), replace(plan.options.paint, style=film.style.asked)
    with TemporaryDirectory(prefix="photo2anime-") as folder, _local(film.job, plan) as file:
        target = Path(folder, PurePosixPath(film.target).name)
        options = VideoOptions(str(file), str(target), paint, plan.options.load)
        with VideoSource(file, max_side=paint.max_side) as source:
            run = Run(options, source, load(plan.options, film.style, plan.device))
            run.frame_painter = Replay(dest, film.waiting)  # type: ignore[assignment]  # all of it that Run uses
            try:
                run.to_video()()
            finally:
                run.close(keep=False)
            size = source.facts.height, source.facts.width
        dest.send(target, film.target)
    return size


class Replay:
    """Stands in for a FramePainter: gives the paintings that wait in DEST, in their order."""

    def __init__(self, dest: Store, folder: str) -> None:
        self.state: dict[str, NDArray[Any]] = {}
        self._frames = self._read(dest, folder)

    def __call__(self, photo: RGB) -> RGB:
        painting = next(self._frames, None)
        if painting is None or painting.shape != photo.shape:
            raise Photo2AnimeError("the painted frames that wait are not those of this film; run it again")
        return painting

    def _read(self, dest: Store, folder: str) -> Iterator[RGB]:
        number = 0
        while True:
            name = f"{folder}/{number:08}"
            if dest.size(name) is None:
                return
            yield from np.load(io.BytesIO(zlib.decompress(dest.read(name))))
            number += 1


def _packed(frames: list[RGB]) -> bytes:
    """Frames without loss, about half their size."""
    file = io.BytesIO()
    np.save(file, np.stack(frames))
    return zlib.compress(file.getvalue(), 1)


@contextmanager
def _local(job: Job, plan: Plan) -> Iterator[Path]:
    """The film as a file on this machine; a copy where it lies elsewhere."""
    assert plan.source is not None
    store = Store(plan.source)
    if store.is_local:
        yield Path(store.root, job.below)
        return
    with TemporaryDirectory(prefix="photo2anime-") as folder:
        file = Path(folder, PurePosixPath(job.below).name)
        store.fetch(job.below, file)
        yield file
