"""Paints a batch: listing, workers and manifest, wired together with Ray Data."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from photo2anime import __version__
from photo2anime.batch import listing
from photo2anime.batch.cluster import Crew, own_errors, started
from photo2anime.batch.manifest import FOLDER, ManifestWriter, done_keys
from photo2anime.batch.records import Job, Row, Summary, records_of, table_of
from photo2anime.batch.shards import ShardWorker
from photo2anime.batch.store import Store
from photo2anime.batch.styles import look_up
from photo2anime.batch.worker import Plan, Starts, Worker, is_done
from photo2anime.extras import need
from photo2anime.images.image_io import WriteOptions
from photo2anime.options import BatchOptions, PaintOptions

if TYPE_CHECKING:
    from ray.data import Dataset


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch is. results: that there will be, None while they are being counted. row: the newest."""

    summary: Summary
    row: Row
    results: int | None


def paint_files(
    source: str | Path,
    dest: str | Path,
    *styles: str,
    paint: PaintOptions | None = None,
    write: WriteOptions | None = None,
    address: str | None = None,
    on_row: Callable[[Progress], None] = lambda progress: None,
) -> Summary:
    """All photos of source painted into dest, in each style (hayao when none is named), as `photo2anime batch` does it;
    tells how it went. For all that the command takes: paint_batch(BatchOptions(...)), which this calls.

    address: of a Ray cluster; None is this machine. on_row: called with each result. Raises Photo2AnimeError for what
    is wrong with all of it; what is wrong with one photo is counted, and a row of the manifest.
    """
    named = styles or ("hayao",)
    options = BatchOptions(str(source), str(dest), named, paint or PaintOptions(), write=write, address=address)
    return paint_batch(options, on_row=on_row)


def paint_batch(options: BatchOptions, *, on_row: Callable[[Progress], None] = lambda progress: None) -> Summary:
    """Paints what options.source holds into options.dest, and tells how it went. on_row: called with each result.

    What is there already, from the same input by the same network with the same options, is left. Raises
    Photo2AnimeError for what is wrong with all of it; what is wrong with one input is a row of the manifest.
    """
    began = time.perf_counter()
    need("batch", "cluster", "ray", "pyarrow")
    source = listing.source_of(options.source, options.dest, options.column)
    dest = Store(options.dest)
    summary = Summary()
    with started(options, readers=source.readers) as crew:
        plan = _plan(options, source, dest, crew)
        total = _Total(source, options.limit, len(plan.styles))
        writer = ManifestWriter(dest, _begin(plan, dest))
        rows = _rows(source, plan, dest, crew, total)
        try:
            with closing(rows):
                for row in rows:
                    summary.startup = summary.startup or time.perf_counter() - began
                    summary.count(row)
                    if row.status != "there":
                        writer.add(row)
                    on_row(Progress(summary, row, total.known()))
        finally:
            writer.flush()
    summary.seconds = time.perf_counter() - began
    return summary


def _plan(options: BatchOptions, source: listing.Source, dest: Store, crew: Crew) -> Plan:
    import ray

    return Plan(
        options,
        look_up(options, crew.device),
        None if source.is_list else source.address,
        ray.put(done_keys(dest)),
        ray.remote(num_cpus=0, max_restarts=-1)(Starts).remote(),
        crew.device,
    )


def _begin(plan: Plan, dest: Store) -> str:
    """The name of this run, after a note of what it was asked for stands in DEST; which must be writable for that."""
    run = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{uuid.uuid4().hex[:6]}"
    facts = {"version": __version__, "options": asdict(plan.options), "styles": [asdict(one) for one in plan.styles]}
    dest.write(f"{FOLDER}/{run}.json", json.dumps(facts, indent=1).encode())
    return run


def _rows(source: listing.Source, plan: Plan, dest: Store, crew: Crew, total: _Total) -> Generator[Row, None, None]:
    """All photos, then all shards, then all videos."""
    yield from _painted(listing.jobs(source, plan.options.limit), Worker, listing.JOBS_A_BLOCK, plan, crew)
    found = total.found()
    if found.shards:
        import ray

        shards = listing.shards(source)
        one_each = ray.data.from_arrow([table_of(Job, [job]) for job in shards])
        yield from _painted(one_each, ShardWorker, 1, plan, crew)
    if found.videos and not find_spec("av"):
        reason = "videos need av: pip install 'photo2anime[video]'"
        for job in listing.videos(source):
            for style in plan.styles:
                yield Row(job.address, style.name, "failed", style.key(job), reason=reason)
    elif found.videos:
        import ray

        from photo2anime.batch.films import paint_films

        done = ray.get(plan.done)
        films = listing.videos(source)
        yield from paint_films(films, _for_films(plan), dest, crew, lambda row: is_done(row, done, dest))


def _for_films(plan: Plan) -> Plan:
    """The same, with the networks that paint video."""
    load = replace(plan.options.load, device=plan.device).for_video()
    return replace(plan, styles=look_up(replace(plan.options, load=load), plan.device))


def _painted(
    jobs: Dataset, worker: type[Worker], jobs_a_call: int, plan: Plan, crew: Crew
) -> Generator[Row, None, None]:
    """What the workers did, in the order they finish. A worker that dies is started again, and its block with it."""
    import ray

    painted = jobs.map_batches(
        worker,
        fn_constructor_args=(plan,),
        batch_size=jobs_a_call,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=crew.workers),
        num_cpus=0 if crew.gpus else 1,
        num_gpus=crew.gpus,
    )
    with own_errors():
        for table in painted.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=1):
            yield from records_of(Row, table)


class _Total:
    """The number of results, counted by a task beside the painting, so that it delays nothing."""

    def __init__(self, source: listing.Source, limit: int | None, styles: int) -> None:
        import ray

        self.counting: Any = ray.remote(num_cpus=0)(listing.count).remote(source, limit)
        self.styles = styles
        self.results: int | None = None

    def found(self) -> listing.Count:
        """What there is, as soon as it is counted."""
        import ray

        with own_errors():
            counted: listing.Count = ray.get(self.counting)
        return counted

    def known(self) -> int | None:
        """The number, once it is known."""
        import ray

        if self.results is None and ray.wait([self.counting], timeout=0)[0]:
            self.results = ray.get(self.counting).results * self.styles
        return self.results
