"""What a batch would be, before it is painted: counts, bytes, core-hours."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field

import numpy as np

from photo2anime.batch import listing
from photo2anime.batch.cluster import started
from photo2anime.batch.manifest import done_keys, mean_seconds
from photo2anime.batch.records import BatchStyle, Job, records_of
from photo2anime.batch.store import Store
from photo2anime.batch.styles import look_up
from photo2anime.batch.worker import content_of, decoded, load
from photo2anime.options import BatchOptions
from photo2anime.types import Photo2AnimeError

_SAMPLES = 4  # photos that are painted, and thrown away, to see what one takes here


@dataclass(frozen=True, slots=True)
class Estimate:
    """size: bytes of the photos, 0 where a list does not say. results: photos times styles; there: of them, by the
    manifest. seconds: that one takes on a core; measured: where that is from.
    """

    photos: int
    size: int
    videos: int
    results: int
    there: int
    seconds: float
    measured: str

    @property
    def core_hours(self) -> float:
        return (self.results - self.there) * self.seconds / 3600


def estimate(options: BatchOptions) -> Estimate:
    """What there is to do. Writes nothing; paints a few photos where the manifest does not tell what one takes."""
    source = listing.source_of(options.source, options.dest, options.column)
    dest = Store(options.dest)
    with started(options, readers=source.readers) as crew:
        styles = look_up(options, crew.device)
        tally = _tallied(source, options, styles, dest)
        known, seconds = mean_seconds(dest)
        measured = f"as {known} in the manifest took"
        if not known:
            seconds, measured = _tried(options, styles, source, tally.samples), f"tried on {len(tally.samples)} here"
    films = 0 if source.is_list else sum(1 for _ in listing.videos(source))
    results = tally.photos * len(styles)
    return Estimate(tally.photos, tally.size, films, results, tally.there, seconds, measured)


@dataclass(slots=True)
class _Tally:
    photos: int = 0
    size: int = 0
    there: int = 0
    samples: list[Job] = field(default_factory=list)


def _tallied(source: listing.Source, options: BatchOptions, styles: tuple[BatchStyle, ...], dest: Store) -> _Tally:
    """One pass over the listing."""
    tally, done = _Tally(), done_keys(dest)
    listed = listing.jobs(source, options.limit)
    for table in listed.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
        found = records_of(Job, table)
        keys = np.array([style.key(job) for job in found for style in styles], np.uint64)
        tally.photos += len(found)
        tally.size += sum(max(0, job.size) for job in found)
        tally.there += int(np.isin(keys, done).sum())
        tally.samples += [job for job in found if not job.problem][: _SAMPLES - len(tally.samples)]
    return tally


def _tried(options: BatchOptions, styles: tuple[BatchStyle, ...], source: listing.Source, samples: list[Job]) -> float:
    """Seconds that a result takes on one core of this machine: the mean over samples and styles; 0 without a sample."""
    os.environ["PHOTO2ANIME_THREADS"] = "1"
    stylizers = [load(options, style, "cpu") for style in styles]
    store = None if source.is_list else Store(source.address)
    took = []
    for job in samples:
        try:
            picture = decoded(content_of(job, store), options)
            for stylizer in stylizers:
                started_at = time.perf_counter()
                stylizer.paint_picture(picture, options.paint.look)
                took.append(time.perf_counter() - started_at)
        except Photo2AnimeError:  # the run will tell
            continue
    return sum(took) / len(took) if took else 0.0
