"""The functions behind the buttons of the video tab. Without PyAV there is no such tab."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from photo2anime.options import PaintOptions
from photo2anime.types import Photo2AnimeError
from photo2anime.web.error_messages import PageError
from photo2anime.web.page.handlers import Over, Page, finished, never, preview, quiet, safe_stem
from photo2anime.web.server.file_types import HEAD_BYTES, UNKNOWN, extension_of, is_clip
from photo2anime.web.server.jobs import Job
from photo2anime.web.server.services import Services, Step
from photo2anime.web.server.video_process import run_worker
from photo2anime.web.server.video_worker import Order
from photo2anime.web.settings import MB

_STILLS = 3


def offered() -> bool:
    """Whether this installation paints videos."""
    return find_spec("av") is not None


@dataclass(frozen=True, slots=True)
class Part:
    """What of a clip is painted, in seconds from its beginning; end 0: to its end."""

    start: float = 0.0
    end: float = 0.0


WHOLE = Part()


def length(page: Page, path: str | None) -> float:
    """How many seconds the clip lasts, 0 when it does not say."""
    source, services = _clip(page, path), page.services

    def work(job: Job) -> float:
        order = _order(services, "length", source, source, PaintOptions(), WHOLE)
        return float(run_worker(order, job.check) or 0)

    with services.storage.in_use(source):
        return finished(page, services.jobs, work, quiet, never)  # type: ignore[no-any-return]


def show_stills(
    page: Page, path: str | None, options: PaintOptions, over: Over = never, part: Part = WHOLE
) -> list[str]:
    """Files of a few painted frames, before the long work begins."""
    source, services = _clip(page, path), page.services
    storage = services.storage

    def work(job: Job) -> list[str]:
        services.paint_service.check(options)
        folder = storage.new_file("stills").parent
        try:
            run_worker(_order(services, "stills", source, folder, options, part), job.check)
            frames = [services.paint_service.read(file.read_bytes()) for file in sorted(folder.glob("*.png"))]
        finally:
            storage.discard(folder / "stills")
        painted = [services.paint_service.paint(frame, options, lambda done, total: job.check()) for frame in frames]
        return [str(storage.write("still.jpg", preview(picture, 960))) for picture in painted]

    with storage.in_use(source):
        return finished(page, services.jobs, work, quiet, over)  # type: ignore[no-any-return]


def show_video(
    page: Page,
    path: str | None,
    options: PaintOptions,
    on_step: Step = quiet,
    over: Over = never,
    part: Part = WHOLE,
) -> str:
    """The painted video's file. Raises PageError, also when the visitor cancelled or has left."""
    source, services = _clip(page, path), page.services
    storage = services.storage
    stem = safe_stem(Path(storage.name_of(source)))

    def work(job: Job) -> str:
        services.paint_service.check(options)
        target = storage.new_file(f"{stem}-{options.style}.mp4")
        try:
            with storage.in_use(target.parent):
                run_worker(_order(services, "paint", source, target, options, part), job.check)
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


def _order(services: Services, task: Any, source: Path, target: Path, options: PaintOptions, part: Part) -> Order:
    settings = services.settings
    return Order(
        task=task,
        source=str(source),
        target=str(target),
        options=options,
        device=settings.device,
        count=_STILLS,
        start=part.start,
        end=part.end or None,
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
