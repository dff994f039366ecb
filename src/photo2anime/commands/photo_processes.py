"""Several photos at a time: each in a process of its own, with its share of the processors."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from photo2anime.commands.photo_run import PhotoRun
from photo2anime.commands.sources import PhotoToPaint
from photo2anime.commands.telling import Line, Outcome
from photo2anime.options import PhotosOptions
from photo2anime.painting.comparison import Comparison
from photo2anime.painting.stylizer import Stylizer

_THREADS = "PHOTO2ANIME_THREADS"
_run: PhotoRun  # of a painting process
_lines: list[Line] = []  # that it has to say


def painted_by(processes: int, run: PhotoRun, groups: Sequence[list[PhotoToPaint]]) -> Iterator[Outcome]:
    """What becomes of each group of photos, in their order; lines are said with it. When this is left early, painting
    stops at once.
    """
    from photo2anime.inference.runtime import cpu_threads

    others = multiprocessing.active_children()
    before = os.environ.get(_THREADS)
    os.environ[_THREADS] = str(max(1, cpu_threads() // processes))  # inherited
    pool = ProcessPoolExecutor(
        processes,
        multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=(run.options, run.stylizers, run.sources),
    )
    finished = 0
    try:
        for lines, outcome in pool.map(_attempt_all, groups):
            for line in lines:
                run.say(line)
            finished += 1
            yield outcome
    except BrokenProcessPool:
        photos = sum(map(len, groups[finished:]))
        why = "a painting process was killed, perhaps because memory ran out"
        run.say(Line(f"{why}: {photos} photos are not told of; try fewer --jobs"))
        yield Outcome(photos=photos, failed=photos)
    finally:
        for process in set(multiprocessing.active_children()) - set(others) if finished < len(groups) else ():
            process.terminate()
        pool.shutdown(cancel_futures=True)
        os.environ.pop(_THREADS) if before is None else os.environ.update({_THREADS: before})


def _start(options: PhotosOptions, stylizers: Sequence[Stylizer | Comparison], sources: set[str]) -> None:
    """Prepares a painting process: Ctrl-C is its parent's affair, and it does not outlive it."""
    global _run
    if not sys.warnoptions:
        warnings.filterwarnings("ignore", category=UserWarning)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # temporary files are removed
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    _run = PhotoRun(options, stylizers, sources, _lines.append)


def _leave_with_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


def _attempt_all(jobs: Sequence[PhotoToPaint]) -> tuple[list[Line], Outcome]:
    """What is to be said of a group of photos, and what became of it."""
    _lines.clear()
    total = Outcome()
    try:
        for job in jobs:
            total.add(_run.attempt(job))
    except SystemExit:  # the pool would take it for a result, and give out the next photo
        os._exit(143)
    return list(_lines), total
