"""Video on the page: each clip is opened and painted by a process of its own. Without PyAV the tab stays away."""

from __future__ import annotations

import json
import logging
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import photo2anime
from photo2anime.types import Photo2AnimeError
from photo2anime.web.error_messages import PageError
from photo2anime.web.errors import NotAClipError, disk_full, out_of_memory
from photo2anime.web.page.handlers import Over, Page, finished, never, preview, quiet, safe_stem
from photo2anime.web.server.file_types import HEAD_BYTES, UNKNOWN, extension_of, is_clip
from photo2anime.web.server.jobs import Job
from photo2anime.web.server.paint_service import PaintOptions
from photo2anime.web.server.services import Services, Step
from photo2anime.web.server.video_worker import Order
from photo2anime.web.settings import MB

_STILLS = 3
_POLL_SECONDS = 0.1  # until a worker whose job is over is ended
_CLOSE_TO_LIMIT = 0.7  # a worker that fails with so much of its memory taken failed for want of more
_LOG_BYTES = 4000


def offered() -> bool:
    """Whether this installation paints videos."""
    return find_spec("av") is not None


def show_stills(page: Page, path: str | None, options: PaintOptions, over: Over = never) -> list[str]:
    """Files of a few painted frames, before the long work begins."""
    source, services = _clip(page, path), page.services
    storage = services.storage

    def work(job: Job) -> list[str]:
        services.paint_service.check(options)
        folder = storage.new_file("stills").parent
        try:
            run_worker(_order(services, "stills", source, folder, options), job.check)
            frames = [services.paint_service.read(file.read_bytes()) for file in sorted(folder.glob("*.png"))]
        finally:
            storage.discard(folder / "stills")
        painted = [services.paint_service.paint(frame, options, lambda done, total: job.check()) for frame in frames]
        return [str(storage.write("still.jpg", preview(picture, 960))) for picture in painted]

    with storage.in_use(source):
        return finished(page, services.jobs, work, quiet, over)  # type: ignore[no-any-return]


def show_video(page: Page, path: str | None, options: PaintOptions, on_step: Step = quiet, over: Over = never) -> str:
    """The painted video's file. Raises PageError, also when the visitor cancelled or has left."""
    source, services = _clip(page, path), page.services
    storage = services.storage
    stem = safe_stem(Path(storage.name_of(source)))

    def work(job: Job) -> str:
        services.paint_service.check(options)
        target = storage.new_file(f"{stem}-{options.style}.mp4")
        try:
            with storage.in_use(target.parent):
                run_worker(_order(services, "paint", source, target, options), job.check)
            if not target.is_file():
                raise Photo2AnimeError("the video has no frames")
        except BaseException:
            storage.discard(target)
            raise
        return str(target)

    with storage.in_use(source):
        file: str = finished(page, services.videos, work, on_step, over)
    if over():
        raise PageError(page.text.cancelled)
    return file


def run_worker(order: Order, check: Callable[..., None]) -> None:
    """Has a process of its own do what is ordered. check: called several times a second, with frames done and in all
    when there is news; what it raises ends the process. Raises what went wrong there, kind for kind.
    """
    own_folder = order.target if order.task == "stills" else str(Path(order.target).parent)
    environment = os.environ | {"TMPDIR": own_folder, "PYTHONPATH": _packages()}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                "photo2anime.web.server.video_worker",
            ],  # -P: nothing is imported from where we stand
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the server, which ends this one
        )
        assert process.stdin is not None and process.stdout is not None
        try:
            last = _Answer("", "")
            with suppress(BrokenPipeError):
                process.stdin.write(order.line())
                process.stdin.flush()
            peak_bytes = 0
            for answer in _answers(process.stdout, check):
                last = answer or last
                peak_bytes = max(peak_bytes, _data_bytes(process.pid))
            code = process.wait()
        finally:
            process.kill()
            process.wait()
            with suppress(BrokenPipeError):
                process.stdin.close()
            process.stdout.close()
        if last.kind != "done":
            is_close = bool(order.memory_bytes) and peak_bytes > _CLOSE_TO_LIMIT * order.memory_bytes
            raise _error_of(replace(last, kind="memory") if is_close else last, code, log)


@dataclass(frozen=True, slots=True)
class _Answer:
    kind: str
    message: str


def _answers(lines: IO[bytes], check: Callable[..., None]) -> Iterator[_Answer | None]:
    """The worker's answers, or None for its steps, which go to check, and several times a second, until it closes its
    end.
    """
    came: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def read() -> None:
        for line in lines:
            came.put(line)
        came.put(b"")

    threading.Thread(target=read, name="worker's answers", daemon=True).start()
    while True:
        try:
            line = came.get(timeout=_POLL_SECONDS)
        except queue.Empty:
            check()
            yield None
            continue
        if not line:
            return
        try:
            answer = json.loads(line)
        except ValueError:  # it was killed while it wrote
            continue
        if answer["kind"] == "step":
            check(answer["done"], answer["total"])
            yield None
        else:
            yield _Answer(answer["kind"], answer["message"])


def _error_of(answer: _Answer, code: int, log: IO[bytes]) -> Exception:
    if answer.kind == "memory":
        return out_of_memory()
    if answer.kind == "disk":
        return disk_full()
    if answer.kind == "unreadable":
        return NotAClipError(answer.message)
    if answer.kind == "":  # it died: killed for its memory, or by a clip that breaks a decoder
        log.seek(max(0, log.seek(0, 2) - _LOG_BYTES))
        told = log.read().decode("utf-8", "replace")
        if "MemoryError" in told or "bad_alloc" in told or code == -9:
            return out_of_memory()
        logging.getLogger("uvicorn.error").error("a video worker ended with code %s: %s", code, told)
    return Photo2AnimeError(answer.message or "the video could not be painted")


def _data_bytes(pid: int) -> int:
    """The memory that a process has taken as its limit counts it; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def _order(services: Services, task: Any, source: Path, target: Path, options: PaintOptions) -> Order:
    settings = services.settings
    return Order(
        task=task,
        source=str(source),
        target=str(target),
        style=options.style,
        device=settings.device,
        strength=options.strength,
        keep_color=options.keep_color,
        faces=options.faces,
        count=_STILLS,
        memory_bytes=int(settings.video_memory_mb * MB),
        file_bytes=int(settings.storage_mb * MB),
    )


def _clip(page: Page, path: str | None) -> Path:
    """The visitor's clip. Only what was uploaded here, is a clip by its content, and within the size limit."""
    if not path or not page.services.storage.holds(path):
        raise PageError(page.text.no_video)
    limit = page.services.settings.video_mb
    if Path(path).stat().st_size > limit * MB:
        raise PageError(page.text.too_many_bytes.format(limit=limit))
    with open(path, "rb") as file:
        head = file.read(HEAD_BYTES)
    if not head and Path(path).suffix != UNKNOWN:
        raise PageError(page.text.empty_file)
    if not is_clip(extension_of(head)):
        raise PageError(page.text.not_a_video)
    return Path(path)


def _packages() -> str:
    """The import path of the worker: this installation's own first."""
    own = str(Path(photo2anime.__file__).parents[1])
    return os.pathsep.join([own, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))])
