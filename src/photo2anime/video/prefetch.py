"""Runs one stage of the video pipeline ahead of the next, in a thread. The only threading of video."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

T = TypeVar("T")
_END = object()


def prefetch(items: Iterable[T], depth: int) -> Generator[T, None, None]:
    """Yields the same items in the same order; a thread makes them, at most depth ahead.

    An error of items is raised here, after the items before it. Leaving early (close, break, an error in the consumer)
    stops the thread before its next item, waits for it, and closes items if it is a generator.
    """
    waiting: queue.Queue[object] = queue.Queue(depth)
    stopped = threading.Event()
    thread = threading.Thread(target=_work, args=(items, waiting, stopped), daemon=True, name="prefetch")
    try:
        thread.start()
    except RuntimeError as error:  # the system gives no more threads
        raise MemoryError(str(error)) from error
    try:
        while (item := waiting.get()) is not _END:
            if isinstance(item, _Raised):
                raise item.error
            yield item  # type: ignore[misc]  # only items of T and the two marks are ever put
    finally:
        stopped.set()
        thread.join()


def _work(items: Iterable[object], waiting: queue.Queue[object], stopped: threading.Event) -> None:
    source = iter(items)
    try:
        for item in source:
            _put(item, waiting, stopped)
            if stopped.is_set():
                return
        _put(_END, waiting, stopped)
    except BaseException as error:  # noqa: BLE001  whatever it is, it is raised again in the consumer
        _put(_Raised(error), waiting, stopped)
    finally:
        if isinstance(source, Generator):
            source.close()


def _put(item: object, waiting: queue.Queue[object], stopped: threading.Event) -> None:
    while not stopped.is_set():
        try:
            waiting.put(item, timeout=0.1)
        except queue.Full:
            continue
        return


class _Raised:
    """An error on its way from the thread to the consumer."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
