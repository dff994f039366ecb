"""The functions behind the page's buttons: paths and values in, paths and values out. They do not use Gradio."""

from __future__ import annotations

import contextvars
import logging
import re
import time
from collections.abc import Callable
from concurrent.futures import TimeoutError as NotYetError
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photo2anime.images.image_io import WriteOptions, read_image
from photo2anime.options import PaintOptions
from photo2anime.painting import compose
from photo2anime.types import Photo2AnimeError, Picture
from photo2anime.web.error_messages import PageError, page_message_of
from photo2anime.web.errors import HttpError
from photo2anime.web.page.cards import card_css, telling_square
from photo2anime.web.server.file_types import UNKNOWN
from photo2anime.web.server.jobs import Job, Jobs
from photo2anime.web.server.paint_service import encoded
from photo2anime.web.server.services import Services, Step
from photo2anime.web.settings import MB
from photo2anime.web.text import Text

_PREVIEW_PX = 1600  # longer side of what the slider shows; the download has the full size
Over = Callable[[], bool]  # whether the work was cancelled or its visitor has left
_PREVIEW = WriteOptions(format="JPEG", quality=90, strip_metadata=True)


@dataclass(frozen=True, slots=True)
class Shown:
    """One painted photo: two pictures for the slider, the file to download ("" in a preview), a line about it."""

    before: str
    after: str
    file: str
    line: str


@dataclass(frozen=True, slots=True)
class Page:
    """What the handlers need: the services and the language."""

    services: Services
    text: Text


def quiet(done: int, total: int) -> None:
    """A progress callback that does nothing."""


def never() -> bool:
    """An `over` that is always false, for work that nobody cancels."""
    return False


def preview_photo(page: Page, path: str | None, options: PaintOptions, over: Over = never) -> Shown | None:
    """The photo as it will look, at the size of the screen, without a file to download; None when the photo is no
    larger, so that painting it whole is as quick.
    """
    file = _upload(page, path, page.text.no_photo)

    def work(job: Job) -> Shown | None:
        photo = page.services.paint_service.read(file.read_bytes())
        if max(photo.rgb.shape[:2]) <= _PREVIEW_PX:
            return None
        small = compose.shrink(photo, _PREVIEW_PX)
        painted = page.services.paint_service.paint(small, options, job.check)
        return _shown(page, small, painted, line=page.text.preview_line)

    with page.services.storage.in_use(file):
        return finished(page, page.services.jobs, work, quiet, over)  # type: ignore[no-any-return]


def paint_photo(
    page: Page, path: str | None, options: PaintOptions, on_step: Step = quiet, over: Over = never
) -> Shown:
    """One photo painted. over: whether it was cancelled or its visitor has left. Raises PageError with a sentence for
    the visitor.
    """
    file = _upload(page, path, page.text.no_photo)

    def work(job: Job) -> Shown:
        started = time.perf_counter()
        photo = page.services.paint_service.read(file.read_bytes())
        painted = page.services.paint_service.paint(photo, options, job.check)
        result = encoded(painted, WriteOptions())
        seconds = time.perf_counter() - started
        page.services.metrics.painted(options.style, seconds)
        name = f"{safe_stem(Path(page.services.storage.name_of(file)))}-{options.style}{result.suffix}"
        line = page.text.done.format(width=result.width, height=result.height, seconds=seconds)
        return _shown(page, photo, painted, line, str(page.services.storage.write(name, result.data)))

    with page.services.storage.in_use(file):
        return finished(page, page.services.jobs, work, on_step, over)  # type: ignore[no-any-return]


def _shown(page: Page, photo: Picture, painted: Picture, line: str, file: str = "") -> Shown:
    storage = page.services.storage
    return Shown(
        before=str(storage.write("photo.jpg", preview(photo, _PREVIEW_PX))),
        after=str(storage.write("anime.jpg", preview(painted, _PREVIEW_PX))),
        file=file,
        line=line,
    )


def paint_cards(page: Page, path: str | None, within: str, over: Over = never) -> str:
    """A style sheet that shows the visitor's photo in every style on the cards in `within`; empty without a photo."""
    if not path:
        return ""
    file = _upload(page, path, page.text.no_photo)

    def work(job: Job) -> str:
        service = page.services.paint_service
        square = telling_square(service.read(file.read_bytes()))
        return card_css(service, square, service.styles(), within, job.check)

    with page.services.storage.in_use(file):
        return finished(page, page.services.jobs, work, quiet, over)  # type: ignore[no-any-return]


def post(page: Page, shown: Shown | None, make: Callable[[Picture, Picture], bytes], name: str) -> str:
    """A file for posting, made of what is shown before and after. Raises PageError when nothing is shown any more."""
    if shown is None or not (page.services.storage.holds(shown.before) and page.services.storage.holds(shown.after)):
        raise PageError(page.text.no_photo)
    stem = Path(shown.file or shown.after).stem

    def work(job: Job) -> str:
        photo, painted = (read_image(Path(file)) for file in (shown.before, shown.after))
        return str(page.services.storage.write(f"{stem}-{name}", make(photo, painted)))

    return finished(page, page.services.jobs, work, quiet, never)  # type: ignore[no-any-return]


def _upload(page: Page, path: str | None, nothing: str) -> Path:
    """The visitor's file. Only what was uploaded here, and only within the size limit."""
    if not path:
        raise PageError(nothing)
    if not page.services.storage.holds(path):
        raise PageError(nothing)
    limit = page.services.settings.upload_mb
    if Path(path).stat().st_size > limit * MB:
        raise PageError(page.text.too_many_bytes.format(limit=limit))
    if Path(path).suffix == UNKNOWN:
        raise PageError(page.text.not_a_picture)
    return Path(path)


def finished(page: Page, jobs: Jobs, work: Callable[[Job], Any], on_step: Step, over: Over) -> Any:
    """What work gives as a job of its own; stopped, or taken out of the queue, once it is over. Raises PageError."""

    def wait() -> Any:
        job = jobs.submit(work, on_step)
        while not job.future.done():
            with suppress(NotYetError):
                job.future.exception(timeout=0.25)
            if over():
                jobs.stop(job, HttpError(400, "cancelled", reason="cancelled"))
        error = job.future.exception()
        if error is None or page_message_of(page.text, page.services.settings, error):
            return job.future.result()
        logging.getLogger("uvicorn.error").error("a painting failed", exc_info=error)  # a mistake of ours
        raise PageError(page.text.failed)

    return with_page_errors(page, wait)


def with_page_errors(page: Page, work: Callable[[], Any]) -> Any:
    """The result of work; its errors are raised as PageError, in the visitor's language."""
    try:
        return work()
    except (Photo2AnimeError, HttpError, MemoryError, OSError) as error:
        sentence = page_message_of(page.text, page.services.settings, error)
        if sentence is None:
            raise
        if isinstance(error, HttpError):
            page.services.metrics.refused(error.status)
        raise PageError(sentence) from None


def preview(picture: Picture, max_side: int) -> bytes:
    """The picture as a JPEG that every browser shows, at most max_side pixels long."""
    return encoded(compose.shrink(picture, max_side), _PREVIEW).data


def safe_stem(file: Path) -> str:
    """The upload's name without folders, extension, control characters and what file systems dislike."""
    stem = re.sub(r"[^\w .()+-]", "_", file.stem).strip(" .")[:80]
    return stem or "photo"


def steps_of(progress: Callable[..., Any], description: str = "") -> Step:
    """Progress for the thread that paints: Gradio knows the visitor only in the handler's own context."""
    context = contextvars.copy_context()
    started = time.monotonic()

    def on_step(done: int, total: int) -> None:
        left = (time.monotonic() - started) / max(done, 1) * (total - done)
        line = description.format(done=done, total=total, left=f"{int(left // 60)}:{int(left % 60):02}")
        context.run(progress, (done, total), line or None)

    return on_step
