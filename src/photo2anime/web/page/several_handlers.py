"""The functions behind the buttons of the tab for many photos."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from photo2anime.options import PaintOptions
from photo2anime.painting import compose
from photo2anime.web.error_messages import PageError
from photo2anime.web.page.handlers import Over, Page, Shown, never, paint_photo, preview, with_page_errors

_THUMBNAIL_PX = 320


@dataclass(frozen=True, slots=True)
class Several:
    """Many painted photos as far as they have come. previews: of those painted. zip: of their results, at the end; None
    when nothing could be painted. lines: how many are done, then what has become of each. failed: those to try again.
    """

    previews: list[str]
    zip: str | None
    lines: list[str]
    failed: list[str]


def paint_several(page: Page, paths: list[str] | None, options: PaintOptions, over: Over = never) -> Iterator[Several]:
    """Every photo painted, one job each, so that other visitors get their turn between; what has come of it after each,
    at the end with all results in one ZIP. What cannot be painted is told with its name and the reason.
    """
    if not paths:
        raise PageError(page.text.no_photos)
    if len(paths) > page.services.settings.several:
        raise PageError(page.text.too_many_photos.format(limit=page.services.settings.several))
    storage, text = page.services.storage, page.text
    target: Path = with_page_errors(page, lambda: storage.new_file("anime.zip"))
    states, done = [text.waiting] * len(paths), False
    previews: list[str] = []
    failed: list[str] = []

    def so_far(results: str | None = None) -> Several:
        names = [f"{storage.name_of(path)}: {state}" for path, state in zip(paths, states, strict=True)]
        count = text.count.format(done=len(previews), total=len(paths))
        return Several(list(previews), results, [count, *names], list(failed))

    try:
        with storage.in_use(target), _results(page, target) as add:
            for number, path in enumerate(paths):
                states[number] = text.painting
                yield so_far()
                if over():
                    states[number:] = [text.cancelled] * (len(paths) - number)
                    failed += paths[number:]
                    break
                try:
                    shown = _paint_again_if_busy(page, path, options, over)
                except PageError as error:
                    states[number] = text.cancelled if over() else str(error)
                    failed.append(path)
                    continue
                previews.append(add(shown))
                states[number] = text.ready
        done = bool(previews)
        yield so_far(str(target) if done else None)
    finally:
        if not done:
            storage.discard(target)


@contextmanager
def _results(page: Page, target: Path) -> Iterator[Callable[[Shown], str]]:
    """A function that puts a result into the ZIP target and returns its preview's file."""
    names: set[str] = set()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:

        def add(shown: Shown) -> str:
            small = _thumbnail(page, shown.after)
            with_page_errors(page, lambda: archive.write(shown.file, _free_name(Path(shown.file), names)))
            return small

        yield add


def _paint_again_if_busy(page: Page, path: str, options: PaintOptions, over: Over) -> Shown:
    """As paint_photo, but waits for its turn: a visitor with a hundred photos can."""
    latest = time.monotonic() + page.services.settings.job_seconds
    while True:
        try:
            return paint_photo(page, path, options, over=over)
        except PageError as error:
            if str(error) != page.text.busy or time.monotonic() > latest or over():
                raise
        time.sleep(0.5)


def _thumbnail(page: Page, file: str) -> str:
    def make() -> str:
        small = compose.shrink(page.services.paint_service.read(Path(file).read_bytes()), _THUMBNAIL_PX)
        return str(page.services.storage.write("anime.jpg", preview(small, _THUMBNAIL_PX)))

    return with_page_errors(page, make)  # type: ignore[no-any-return]


def _free_name(file: Path, taken: set[str]) -> str:
    """The file's name, numbered when another in the ZIP has it."""
    name, number = file.name, 2
    while name.lower() in taken:
        name, number = f"{file.stem}-{number}{file.suffix}", number + 1
    taken.add(name.lower())
    return name
