"""What page and API share: the styles, the queue of jobs, the files, the counters."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import IO, TypeVar

from photo2anime.images.image_io import WriteOptions
from photo2anime.options import PaintOptions
from photo2anime.web.server.jobs import Job, Jobs
from photo2anime.web.server.metrics import Metrics
from photo2anime.web.server.paint_service import Painted, PaintService
from photo2anime.web.server.storage import Storage
from photo2anime.web.server.visitors import Visitors
from photo2anime.web.settings import Settings

T = TypeVar("T")
Step = Callable[[int, int], None]


class Services:
    """The parts of one server, made from its settings. Videos have their own queue, so that photos do not wait."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.storage = Storage(settings.storage_mb * 1e6, settings.keep_seconds)
        self.paint_service = PaintService(device=settings.device, megapixels=settings.megapixels)
        self.jobs = Jobs(settings.slots, settings.queue, settings.job_seconds)
        self.videos = Jobs(1, 2, settings.video_seconds)
        self.visitors = Visitors()
        self.metrics = Metrics(self.jobs, self.videos)

    def start_painting(
        self, source: IO[bytes] | bytes, options: PaintOptions, write: WriteOptions, on_step: Step
    ) -> Job:
        """One photo's job, queued; the result of its future is a Painted. Raises HttpError when the queue is full."""

        def work(job: Job) -> Painted:
            started = time.perf_counter()
            painted = self.paint_service.paint_encoded(source, options, write, job.check)
            self.metrics.painted(options.style, time.perf_counter() - started)
            return painted

        return self.jobs.submit(work, on_step)

    def close(self) -> None:
        """Takes no more work."""
        self.jobs.close()
        self.videos.close()

    def finish(self, seconds: float) -> None:
        """Waits for what runs, at most so many seconds, then stops it. A video is stopped at once."""
        self.close()
        self.videos.stop_running()
        self._wait(seconds)
        self.jobs.stop_running()
        self._wait(1)  # for the tile in hand

    def _wait(self, seconds: float) -> None:
        latest = time.monotonic() + seconds
        while self.jobs.running + self.videos.running and time.monotonic() < latest:
            time.sleep(0.02)
