"""The functions under the page's buttons: paths and values in, paths and values out. They know nothing of Gradio."""

from __future__ import annotations

import re
import threading
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import TimeoutError as NotYetError
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from photo2anime import compose
from photo2anime.image_io import WriteOptions, read_image
from photo2anime.styles import list_styles
from photo2anime.types import NotAPictureError, Photo2AnimeError, Picture, TooLargeError
from photo2anime.web.jobs import Job
from photo2anime.web.problems import Problem
from photo2anime.web.settings import MB
from photo2anime.web.studio import PaintOptions, encoded
from photo2anime.web.text import Text
from photo2anime.web.workshop import Step, Workshop

_PREVIEW_PX = 1600  # longer side of what the slider shows; the download has the full size
_SHEET_PX = 480
_THUMBNAIL_PX = 320
_PREVIEW = WriteOptions(format="JPEG", quality=90, strip_metadata=True)


class NoticeError(Exception):
    """A friendly sentence for the page, in its language."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One painted photo: two pictures for the slider, the file to download, a line about it."""

    before: str
    after: str
    file: str
    line: str


@dataclass(frozen=True, slots=True)
class Page:
    """What the handlers need: the workshop and the language."""

    workshop: Workshop
    text: Text


def _quiet(done: int, total: int) -> None:
    """Progress that nobody watches."""


def paint_photo(page: Page, path: str | None, options: PaintOptions, on_step: Step = _quiet) -> Shown:
    """One photo painted. Raises NoticeError with a sentence for the visitor."""
    file = _upload(page, path, page.text.no_photo)

    def work(job: Job) -> Shown:
        started = time.perf_counter()
        photo = page.workshop.studio.read(file.read_bytes())
        painted = page.workshop.studio.paint(photo, options, job.check)
        result = encoded(painted, WriteOptions())
        seconds = time.perf_counter() - started
        page.workshop.metrics.painted(options.style, seconds)
        stem = safe_stem(file)
        storage = page.workshop.storage
        return Shown(
            before=str(storage.write("photo.jpg", preview(photo, _PREVIEW_PX))),
            after=str(storage.write("anime.jpg", preview(painted, _PREVIEW_PX))),
            file=str(storage.write(f"{stem}-{options.style}{result.suffix}", result.data)),
            line=page.text.done.format(width=result.width, height=result.height, seconds=seconds),
        )

    return told(page, lambda: wait_for(page.workshop.jobs.submit(work, on_step)))  # type: ignore[no-any-return]


def paint_sheet(page: Page, path: str | None, options: PaintOptions, on_step: Step = _quiet) -> list[tuple[str, str]]:
    """The photo, small, in every style: (file, style name) each, for choosing."""
    file = _upload(page, path, page.text.no_photo)
    styles = list(list_styles())

    def work(job: Job) -> list[tuple[str, str]]:
        photo = compose.shrink(page.workshop.studio.read(file.read_bytes()), _SHEET_PX)
        sheet = []
        for done, style in enumerate(styles, start=1):
            painted = page.workshop.studio.paint(photo, replace(options, style=style))
            sheet.append((str(page.workshop.storage.write(f"{style}.jpg", preview(painted, _SHEET_PX))), style))
            job.check(done, len(styles))
        return sheet

    return told(page, lambda: wait_for(page.workshop.jobs.submit(work, on_step)))  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Several:
    """Many painted photos: previews, one ZIP (None when nothing could be painted), a line for each failure."""

    previews: list[str]
    zip: str | None
    lines: list[str]


def paint_several(
    page: Page,
    paths: list[str] | None,
    options: PaintOptions,
    on_step: Step = _quiet,
    cancelled: threading.Event | None = None,
) -> Several:
    """Every photo painted, one job each, so that other visitors get their turn between; results in one ZIP."""
    if not paths:
        raise NoticeError(page.text.no_photos)
    if len(paths) > page.workshop.settings.several:
        raise NoticeError(page.text.too_many_photos.format(limit=page.workshop.settings.several))
    target = page.workshop.storage.new_file("anime.zip")
    previews: list[str] = []
    failures: list[str] = []
    names: set[str] = set()
    done = 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for number, path in enumerate(paths, start=1):
            if cancelled and cancelled.is_set():
                failures.append(page.text.cancelled)
                break
            try:
                result = _paint_again_if_busy(page, path, options)
                name = _free_name(Path(result.file), names)
                archive.write(result.file, name)
                previews.append(_thumbnail(page, result.after))
                done += 1
            except NoticeError as error:
                failures.append(f"{Path(path).name}: {error}")
            on_step(number, len(paths))
    return Several(
        previews, str(target) if done else None, [page.text.count.format(done=done, total=len(paths)), *failures]
    )


def _paint_again_if_busy(page: Page, path: str, options: PaintOptions) -> Shown:
    """As paint_photo, but waits for its turn: a visitor with a hundred photos can."""
    latest = time.monotonic() + page.workshop.settings.job_seconds
    while True:
        try:
            return paint_photo(page, path, options)
        except NoticeError as error:
            if str(error) != page.text.busy or time.monotonic() > latest:
                raise
        time.sleep(0.5)


def _upload(page: Page, path: str | None, nothing: str) -> Path:
    """The visitor's file. Only what was uploaded here, and only within the size limit."""
    if not path:
        raise NoticeError(nothing)
    if not page.workshop.storage.holds(path):
        raise NoticeError(nothing)
    limit = page.workshop.settings.upload_mb
    if Path(path).stat().st_size > limit * MB:
        raise NoticeError(page.text.too_many_bytes.format(limit=limit))
    return Path(path)


def wait_for(job: Job) -> Any:
    """What the job gives. Raises what it raised."""
    while True:
        try:
            return job.future.result(timeout=0.5)
        except NotYetError:
            if job.future.done():
                raise


def told(page: Page, work: Callable[[], Any]) -> Any:
    """What work returns; what goes wrong as a sentence in the visitor's language."""
    try:
        return work()
    except NotAPictureError:
        raise NoticeError(page.text.not_a_picture) from None
    except TooLargeError:
        limit = page.workshop.settings.megapixels
        raise NoticeError(page.text.too_many_pixels.format(limit=limit)) from None
    except Photo2AnimeError as error:
        raise NoticeError(page.text.failed.format(reason=error)) from None
    except Problem as problem:
        page.workshop.metrics.refused(problem.status)
        raise NoticeError(page.text.too_slow if "longer than" in problem.message else page.text.busy) from None


def preview(picture: Picture, max_side: int) -> bytes:
    """The picture as a JPEG that every browser shows, at most max_side pixels long."""
    return encoded(compose.shrink(picture, max_side), _PREVIEW).data


def _thumbnail(page: Page, file: str) -> str:
    small = compose.shrink(page.workshop.studio.read(Path(file).read_bytes()), _THUMBNAIL_PX)
    return str(page.workshop.storage.write("anime.jpg", preview(small, _THUMBNAIL_PX)))


def safe_stem(file: Path) -> str:
    """The upload's name without folders, extension, control characters and what file systems dislike."""
    stem = re.sub(r"[^\w .()+-]", "_", file.stem).strip(" .")[:80]
    return stem or "photo"


def _free_name(file: Path, taken: set[str]) -> str:
    """The file's name, numbered when another in the ZIP has it."""
    name, number = file.name, 2
    while name.lower() in taken:
        name, number = f"{file.stem}-{number}{file.suffix}", number + 1
    taken.add(name.lower())
    return name


def style_thumbnail(workshop: Workshop, style: str, photo: Path, side_px: int = 160) -> bytes:
    """A square of the photo's middle in the style, as WebP."""
    picture = read_image(photo)  # ours: limits are for uploads
    height, width = picture.rgb.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 3, (width - side) // 2
    square = replace(picture, rgb=picture.rgb[top : top + side, left : left + side].copy(), alpha=None)
    painted = workshop.studio.paint(compose.shrink(square, 2 * side_px), PaintOptions(style))
    small = compose.shrink(painted, side_px)
    return encoded(small, WriteOptions(format="WEBP", quality=80, strip_metadata=True)).data
