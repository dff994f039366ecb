"""The process that opens and paints one visitor's clip: `python -m photo2anime.web.server.video_worker`.

It takes one order as a line of JSON on standard input and answers in lines of JSON on standard output. It may take only
so much memory and write only so large a file, and ends when its standard input closes, as when the server is gone.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Literal

from photo2anime.options import LoadOptions, PaintOptions
from photo2anime.web.settings import TILE_PX

Answer = Literal["step", "done", "memory", "disk", "unreadable", "failed"]


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker is to do. task: "paint" the clip source into the file target, or write a few of its frames, not
    painted, as PNG files into the folder target ("stills"), or tell how long it is ("length"). start, end: of the part
    that is meant, in seconds. memory_bytes: what it may take; file_bytes: the largest
    file it may write; 0 is no limit.
    """

    task: Literal["paint", "stills", "length"]
    source: str
    target: str
    options: PaintOptions
    device: str = "auto"
    count: int = 3
    start: float = 0.0
    end: float | None = None
    memory_bytes: int = 0
    file_bytes: int = 0

    def line(self) -> bytes:
        """The order as the worker reads it."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def of(cls, line: bytes) -> Order:
        """The order that `line` gave."""
        told = json.loads(line)
        return cls(**told | {"options": PaintOptions(**told["options"])})


def main() -> int:
    """Does what the order on standard input says; returns the exit code."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # what libraries print is not an answer
    order = Order.of(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    limit(order.memory_bytes, order.file_bytes)
    kind, message = _done(order, answers)
    _tell(answers, kind, message)
    return 0 if kind == "done" else 1


def limit(memory_bytes: int, file_bytes: int) -> None:
    """Limits this process's memory and the size of files it writes, where the system can; no core files.
    When the whole machine runs short, it is this process that Linux ends, not the server.
    """
    if sys.platform == "win32":
        return
    import resource
    import signal

    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory_bytes:
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    if file_bytes:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write then fails, with EFBIG
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))


def _done(order: Order, answers: IO[str]) -> tuple[Answer, str]:
    from photo2anime.types import Photo2AnimeError
    from photo2anime.web.errors import http_error_of

    opened = False

    def step(done: int, total: int | None) -> None:
        nonlocal opened
        opened = True
        answers.write(json.dumps({"kind": "step", "done": done, "total": total or 0}) + "\n")

    try:
        told = ""
        if order.task == "length":
            told = str(_seconds(order))
        elif order.task == "stills":
            _stills(order)
        else:
            _paint(order, step)
    except (Photo2AnimeError, MemoryError, OSError) as error:
        http_error = http_error_of(error)
        if http_error is not None and http_error.reason in ("memory", "disk"):
            return ("memory" if http_error.reason == "memory" else "disk"), str(error)
        if isinstance(error, Photo2AnimeError):
            return ("failed" if opened else "unreadable"), str(error)
        raise
    return "done", told


def _paint(order: Order, step: Callable[[int, int | None], None]) -> None:
    from photo2anime.video import paint_video

    stylizer = LoadOptions(order.device, TILE_PX).for_video().stylizer(order.options.style)
    source, target = Path(order.source), Path(order.target)
    paint_video.paint_video(source, target, stylizer, order.options, order.start, order.end, progress=step)


def _stills(order: Order) -> None:
    from photo2anime.images.image_io import WriteOptions, write_image
    from photo2anime.video import paint_video

    for number, frame in enumerate(paint_video.stills(Path(order.source), order.count, order.start, order.end)):
        write_image(Path(order.target) / f"{number}.png", frame, WriteOptions())


def _seconds(order: Order) -> float:
    from photo2anime.video import paint_video

    return paint_video.seconds(Path(order.source))


def _end_with_the_server() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)


def _tell(answers: IO[str], kind: Answer, message: str) -> None:
    answers.write(json.dumps({"kind": kind, "message": message}) + "\n")
    answers.flush()


if __name__ == "__main__":
    sys.exit(main())
