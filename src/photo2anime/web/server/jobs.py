"""The job queue: limits on running jobs, waiting jobs and seconds; what exceeds them is refused at once."""

from __future__ import annotations

import ctypes
import queue
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from photo2anime.web.errors import HttpError, out_of_memory


class Job:
    """One piece of work. The work calls `check` between its steps, so that it can be stopped there."""

    def __init__(self, work: Callable[[Job], Any], seconds: float, on_step: Callable[[int, int], None]) -> None:
        self.work, self.seconds, self.on_step = work, seconds, on_step
        self.future: Future[Any] = Future()
        self.deadline = float("inf")
        self.has_begun = False
        self._stopped: HttpError | None = None

    def stop(self, http_error: HttpError) -> None:
        """Ends the job at its next step, or before it starts."""
        self._stopped = http_error

    def check(self, done: int = 0, total: int = 0) -> None:
        """Raises HttpError when the job is to stop or its time is over; else reports the progress."""
        if self._stopped:
            raise self._stopped
        if time.monotonic() > self.deadline:
            message = f"the painting took longer than {self.seconds:g} seconds; send a smaller one"
            raise HttpError(503, message, 60, "slow")
        if total:
            self.on_step(done, total)

    def run(self) -> None:
        """Does the work and fills the future."""
        self.deadline = time.monotonic() + self.seconds
        try:
            self.check()
            self.future.set_result(self.work(self))
        except MemoryError:  # without its traceback, which holds on to what was too much
            self.future.set_exception(out_of_memory())
        except Exception as error:  # noqa: BLE001  whatever it is belongs to whoever waits for this job
            self.future.set_exception(error)


class Jobs:
    """Threads that work off jobs. workers: jobs at a time. most_waiting: jobs that may wait. seconds: for each job."""

    def __init__(self, workers: int, most_waiting: int, seconds: float) -> None:
        self.workers, self.most_waiting, self.seconds = workers, most_waiting, seconds
        self._lock = threading.Lock()
        self._todo: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._open: set[Job] = set()
        self._running = 0
        self._closed = False
        for _ in range(workers):
            threading.Thread(target=self._work, name="painter", daemon=True).start()

    @property
    def running(self) -> int:
        """Jobs being worked on."""
        return self._running

    @property
    def waiting(self) -> int:
        """Jobs that have not begun."""
        return len(self._open) - self._running

    def submit(self, work: Callable[[Job], Any], on_step: Callable[[int, int], None] = lambda done, total: None) -> Job:
        """The job, queued; its result comes in job.future. Raises HttpError 503 when the queue is full or closed."""
        with self._lock:
            if self._closed:
                raise _stopping()
            if len(self._open) >= self.workers + self.most_waiting:
                raise HttpError(503, "too many paintings are waiting; try again in a moment", 5, "busy")
            job = Job(work, self.seconds, on_step)
            self._open.add(job)
        self._todo.put(job)
        return job

    def close(self) -> None:
        """Takes no more jobs, refuses those that have not begun, and lets the threads end after what they do."""
        with self._lock:
            self._closed = True
            while True:
                try:
                    job = self._todo.get_nowait()
                except queue.Empty:
                    break
                if job is None:
                    continue
                self._withdraw(job, _stopping())
            for _ in range(self.workers):
                self._todo.put(None)

    def stop(self, job: Job, http_error: HttpError) -> None:
        """Ends a job: at its next step, or at once, with its place in the queue, when it has not begun."""
        with self._lock:
            job.stop(http_error)
            if not job.has_begun:
                self._withdraw(job, http_error)

    def stop_running(self) -> None:
        """Ends what still runs at its next step."""
        with self._lock:
            for job in self._open:
                job.stop(HttpError(503, "the server has stopped; try again in a minute", 60, "stopping"))

    def _withdraw(self, job: Job, http_error: HttpError) -> None:
        self._open.discard(job)
        if not job.future.done():
            job.future.set_exception(http_error)

    def _work(self) -> None:
        while job := self._todo.get():
            with self._lock:
                job.has_begun = not job.future.done()
                self._running += job.has_begun
            if job.has_begun:
                job.run()
                with self._lock:
                    self._running -= 1
                    self._open.discard(job)
            del job  # its picture must not stay until the next one comes
            _give_memory_back()


def _give_memory_back() -> None:
    """Hands freed memory to the system, where glibc would keep it: each thread that painted holds on to its own."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)


def _stopping() -> HttpError:
    return HttpError(503, "the server is stopping; try again in a minute", 60, "stopping")
