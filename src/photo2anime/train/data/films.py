"""Where training pictures come from: folders of pictures, and films, whose scenes are sampled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from photo2anime.images.image_io import READABLE, read_image
from photo2anime.inference.pixels import luma
from photo2anime.types import RGB, Photo2AnimeError
from photo2anime.video.frames import Facts
from photo2anime.video.source import VideoSource

FILMS = {".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".m2ts", ".wmv", ".flv", ".ogv"}
_THUMB = (32, 18)  # width, height of what scenes are told apart by
_CUT_LEVELS = 14.0  # two frames whose thumbs differ by more, on average, belong to two scenes
_SETTLE_SECONDS = 0.25  # a frame is taken so long after a cut, when a fade or a flash is over


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file. name: how the manifest calls it, the same on every run: SOURCE's own name and the way below it."""

    file: Path
    name: str

    @property
    def is_film(self) -> bool:
        """Whether it is a film by its extension; else it is a picture."""
        return self.file.suffix.lower() in FILMS


def find_source_files(sources: list[Path]) -> list[SourceFile]:
    """Every picture and film in the sources and below, hidden ones left out, sorted by name.

    Raises Photo2AnimeError for a source that is not there, is of no known kind, has nothing in it, or has the name of
    another.
    """
    found: dict[str, SourceFile] = {}
    for source in sources:
        if source.is_dir():
            files = [f for f in sorted(source.rglob("*")) if f.is_file() and not _is_hidden(f.relative_to(source))]
        elif source.is_file():
            files = [source]
        else:
            raise Photo2AnimeError(f"{source}: no such file or folder; check the name")
        usable = [f for f in files if f.suffix.lower() in FILMS | READABLE]
        if not usable:
            known = ", ".join(sorted(suffix.lstrip(".") for suffix in FILMS))
            raise Photo2AnimeError(f"{source} holds no picture and no film ({known}); give another SOURCE")
        for file in usable:
            below = file.relative_to(source).as_posix() if source.is_dir() else ""
            name = f"{source.resolve().name}/{below}".rstrip("/")
            if name in found and found[name].file.resolve() != file.resolve():
                raise Photo2AnimeError(f"two sources hold {name}; rename one of the folders, or prepare them apart")
            found[name] = SourceFile(file, name)
    return list(found.values())


def pictures_of(source_file: SourceFile, every_seconds: float) -> Iterator[tuple[float | None, RGB]]:
    """(seconds, picture) of each frame that is sampled from a film; (None, picture) of a picture file.

    From a film: the first frame of each scene, once it has settled, and within a scene one frame every every_seconds.
    Frames are decoded as `video` does it: upright, whole pictures, SDR; pixels that are not square are made square. The
    same file gives the same frames on every run. Raises Photo2AnimeError where reading breaks off, and at the end for
    what could not be decoded; what came before is good.
    """
    if not source_file.is_film:
        yield None, read_image(source_file.file).rgb
        return
    with VideoSource(source_file.file) as source:
        yield from _sampled(source, every_seconds)
    if lost := source.losses.told():
        raise Photo2AnimeError(f"is damaged or cut short ({'; '.join(lost)}); copy or download it again")


def _sampled(source: VideoSource, every_seconds: float) -> Iterator[tuple[float, RGB]]:
    before: np.ndarray[tuple[int, ...], np.dtype[np.float32]] | None = None
    due = 0.0
    for frame in source.frames():
        seconds = float(frame.pts * source.facts.time_base)
        small = thumb(frame.rgb, *_THUMB)
        if before is None or float(np.abs(small - before).mean()) > _CUT_LEVELS:
            due = seconds + (_SETTLE_SECONDS if before is not None else 0.0)
        before = small
        if seconds >= due:
            due = seconds + every_seconds
            yield round(seconds, 3), _with_square_pixels(frame.rgb, source.facts)


def _with_square_pixels(rgb: RGB, facts: Facts) -> RGB:
    """Upright frames as they are shown: their coded width, which a quarter turn makes their height, is stretched."""
    if facts.pixel_aspect == 1:
        return rgb
    height, width = rgb.shape[:2]
    if facts.quarter_turns % 2:
        height = round(height * facts.pixel_aspect)
    else:
        width = round(width * facts.pixel_aspect)
    return np.asarray(Image.fromarray(rgb).resize((max(1, width), max(1, height)), Image.Resampling.BICUBIC))


def thumb(rgb: RGB, width: int, height: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Brightness of the picture at a small size: (height, width) float32 in grey levels."""
    return luma(np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.BOX)))


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
