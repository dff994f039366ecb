"""Where training pictures come from: folders of pictures, and films, whose scenes are sampled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from PIL import Image

from photo2anime.images.image_io import READABLE, read_image
from photo2anime.inference.pixels import luma
from photo2anime.types import RGB, Photo2AnimeError
from photo2anime.video.media import open_input

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
    Rotation and non-square pixels are undone. The same file gives the same frames on every run. Raises Photo2AnimeError
    where reading breaks off; what came before is good.
    """
    if not source_file.is_film:
        yield None, read_image(source_file.file).rgb
        return
    try:
        with open_input(source_file.file) as container:
            if not container.streams.video:
                raise Photo2AnimeError("has no pictures in it, only sound; give a film")
            yield from _sampled(container, every_seconds)
    except (av.error.FFmpegError, OSError) as error:
        raise Photo2AnimeError(f"is damaged or cut short ({error}); copy or download it again") from error


def _sampled(container: av.container.InputContainer, every_seconds: float) -> Iterator[tuple[float, RGB]]:
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    before: np.ndarray[tuple[int, ...], np.dtype[np.float32]] | None = None
    due, seconds = 0.0, 0.0
    for frame in container.decode(stream):
        seconds = float(frame.time) if frame.time is not None else seconds + 1 / 25
        thumb = frame.reformat(*_THUMB, format="gray", interpolation="AREA", threads=1).to_ndarray().astype(np.float32)
        if before is None or float(np.abs(thumb - before).mean()) > _CUT_LEVELS:
            due = seconds + (_SETTLE_SECONDS if before is not None else 0.0)
        before = thumb
        if seconds >= due:
            due = seconds + every_seconds
            yield round(seconds, 3), _upright(frame, stream)


def _upright(frame: av.VideoFrame, stream: av.VideoStream) -> RGB:
    rgb = frame.to_ndarray(format="rgb24", threads=1).astype(np.uint8, copy=False)
    aspect = stream.sample_aspect_ratio
    if aspect and aspect != 1:
        height, width = rgb.shape[:2]
        rgb = np.asarray(Image.fromarray(rgb).resize((round(width * aspect), height), Image.Resampling.BICUBIC))
    return np.ascontiguousarray(np.rot90(rgb, round(frame.rotation / 90)))


def thumb(rgb: RGB, width: int, height: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Brightness of the picture at a small size: (height, width) float32 in grey levels."""
    return luma(np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.BOX)))


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
