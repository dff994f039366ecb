"""Video on the page: the one place that meets photo2anime.video. Without that package the tab stays away."""

from __future__ import annotations

import threading
from importlib.util import find_spec
from pathlib import Path

from photo2anime.types import Picture
from photo2anime.web.handlers import NoticeError, Page, preview, safe_stem, told, wait_for
from photo2anime.web.jobs import Job
from photo2anime.web.problems import Problem
from photo2anime.web.settings import MB
from photo2anime.web.studio import PaintOptions
from photo2anime.web.workshop import Step, Workshop

_STILLS = 3


def offered() -> bool:
    """Whether this installation paints videos."""
    return find_spec("av") is not None


def paint_video(workshop: Workshop, source: Path, target: Path, options: PaintOptions, progress: Step) -> None:
    """Source painted into target, with its sound. progress: called with frames done and in all; what it raises ends
    the work, without a target. Raises Photo2AnimeError for what is no video.
    """
    from photo2anime.video import whole

    def told(done: int, total: int | None) -> None:
        progress(done, total or 0)

    stylizer = workshop.studio.stylizer(options.style, precision="auto")
    whole.paint_video(source, target, stylizer, options.look, progress=told)


def stills(workshop: Workshop, source: Path, options: PaintOptions) -> list[Picture]:
    """A few painted frames, spread over the video."""
    from photo2anime.video import whole

    return [workshop.studio.paint(frame, options) for frame in whole.stills(source, _STILLS)]


def show_stills(page: Page, path: str | None, options: PaintOptions) -> list[str]:
    """Files of a few painted frames, before the long work begins."""
    source = _video(page, path)

    def work(job: Job) -> list[str]:
        storage = page.workshop.storage
        pictures = stills(page.workshop, source, options)
        return [str(storage.write("still.jpg", preview(picture, 960))) for picture in pictures]

    return told(page, lambda: wait_for(page.workshop.jobs.submit(work)))  # type: ignore[no-any-return]


def show_video(page: Page, path: str | None, options: PaintOptions, on_step: Step, cancelled: threading.Event) -> str:
    """The painted video's file. Raises NoticeError, also when the visitor cancelled."""
    source = _video(page, path)
    target = page.workshop.storage.new_file(f"{safe_stem(source)}-{options.style}.mp4")

    def work(job: Job) -> str:
        def step(done: int, total: int) -> None:
            if cancelled.is_set():
                job.stop(Problem(400, page.text.cancelled))
            job.check(done, total)

        paint_video(page.workshop, source, target, options, step)
        return str(target)

    try:
        file: str = told(page, lambda: wait_for(page.workshop.videos.submit(work, on_step)))
    except NoticeError:
        if cancelled.is_set():
            raise NoticeError(page.text.cancelled) from None
        raise
    if cancelled.is_set() or not target.is_file():
        raise NoticeError(page.text.cancelled)
    return file


def _video(page: Page, path: str | None) -> Path:
    if not path or not page.workshop.storage.holds(path):
        raise NoticeError(page.text.no_video)
    limit = page.workshop.settings.video_mb
    if Path(path).stat().st_size > limit * MB:
        raise NoticeError(page.text.too_many_bytes.format(limit=limit))
    return Path(path)
