"""Animated pictures (GIF, WebP, APNG, AVIF) as frames, and frames as animated pictures, by way of Pillow."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from photo2anime.types import Photo2AnimeError
from photo2anime.video.frames import Facts, Frame, Losses

FORMATS = {".gif": "GIF", ".webp": "WEBP", ".png": "PNG", ".apng": "PNG", ".avif": "AVIF"}
_TIME_BASE = Fraction(1, 1000)
_USUAL_MS = 100  # what browsers make of a frame without a duration
_LEAST_GIF_MS = 20  # shorter frames are slowed down to 100 ms by browsers


def is_animation(file: Path) -> bool:
    """Whether Pillow knows file as an animated picture."""
    try:
        with Image.open(file) as image:
            return image.format in FORMATS.values() and (image.format == "GIF" or getattr(image, "n_frames", 1) > 1)
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError):
        return False


class AnimationSource:
    """An animated picture opened for painting, with the same doors as VideoSource. Durations of 0 count as 100 ms."""

    def __init__(self, file: Path, *, max_side: int | None = None, start: float = 0, end: float | None = None) -> None:
        self.file, self.start, self.end, self.losses = file, Fraction(start), end, Losses()
        self.matrix, self.stream_index = 1, None  # no video stream, so nothing to copy beside it
        with Image.open(file) as image:
            scale = min(1.0, max_side / max(image.size)) if max_side else 1.0
            size = (max(1, round(image.height * scale)), max(1, round(image.width * scale)))
            loops = int(image.info.get("loop", 1 if image.format == "GIF" else 0))
            frames = int(getattr(image, "n_frames", 1))
        self.facts = Facts(*size, _TIME_BASE, self._fps(), frames=frames, loops=loops)

    def __enter__(self) -> AnimationSource:
        return self

    def __exit__(self, *_: object) -> None: ...

    def _fps(self) -> Fraction:
        with Image.open(self.file) as image:
            image.load()
            return Fraction(1000, max(1, round(image.info.get("duration", 0) or _USUAL_MS)))

    def frames(self, skip: int = 0) -> Iterator[Frame]:
        """Frame after frame, composed as a viewer shows it, with alpha; timestamps in milliseconds from start."""
        now, size = 0, (self.facts.width, self.facts.height)
        with Image.open(self.file) as image:
            for number in range(int(getattr(image, "n_frames", 1))):
                try:
                    image.seek(number)
                    shown = image.convert("RGBA" if image.has_transparency_data else "RGB")
                except (OSError, SyntaxError, ValueError, EOFError):
                    self.losses.broken_packets += 1
                    return
                duration = round(image.info.get("duration", 0) or _USUAL_MS)
                begins, now = now, now + duration
                if begins < self.start * 1000 or (self.end is not None and begins >= self.end * 1000):
                    continue
                if skip:
                    skip -= 1
                    continue
                if shown.size != size:
                    shown = shown.resize(size, Image.Resampling.LANCZOS)
                pixels = np.asarray(shown)
                alpha = pixels[..., 3] if pixels.shape[2] == 4 else None
                yield Frame(pixels[..., :3], begins - round(self.start * 1000), duration, alpha)


def write_animation(file: Path, format: str, frames: Iterable[Frame], facts: Facts, quality: int | None) -> int:
    """Writes all frames and tells how many. file: where, not yet under its final name. quality: of WebP and AVIF.

    GIF counts in hundredths of a second: each frame begins at the nearest one, and frames that would show for less than
    20 ms are left out. Pillow keeps frames that are equal as one longer frame.
    """
    durations: list[int] = []
    timed = _in_hundredths(frames, facts.time_base) if format == "GIF" else _in_ms(frames, facts.time_base)

    def pictures() -> Iterator[Image.Image]:
        for frame, milliseconds in timed:
            durations.append(milliseconds)
            alpha = [] if frame.alpha is None else [frame.alpha]
            yield Image.fromarray(np.dstack([frame.rgb, *alpha]) if alpha else np.ascontiguousarray(frame.rgb))

    # Pillow asks for all durations before it asks for the pictures, so the pictures are made first.
    made = list(pictures())
    if not made:
        raise Photo2AnimeError("there are no frames between --start and --end")
    options: dict[str, Any] = {"GIF": {"optimize": False}, "PNG": {}}.get(format, {"quality": quality or 80})
    if format != "AVIF":
        options["loop"] = facts.loops
    with open(file, "wb") as opened:
        made[0].save(opened, format, save_all=True, append_images=made[1:], duration=durations, **options)
        opened.flush()
        os.fsync(opened.fileno())
    return len(made)


def _in_ms(frames: Iterable[Frame], time_base: Fraction) -> Iterator[tuple[Frame, int]]:
    for frame in frames:
        begins, ends = (round(1000 * when * time_base) for when in (frame.pts, frame.pts + frame.duration))
        yield frame, max(1, ends - begins)


def _in_hundredths(frames: Iterable[Frame], time_base: Fraction) -> Iterator[tuple[Frame, int]]:
    kept: Frame | None = None
    begins = 0
    for frame in frames:
        now = 10 * round(100 * frame.pts * time_base)
        if kept is not None and now - begins < _LEAST_GIF_MS:
            continue
        if kept is not None:
            yield kept, now - begins
        kept, begins = frame, now
    if kept is not None:
        ends = 10 * round(100 * (kept.pts + kept.duration) * time_base)
        yield kept, max(_LEAST_GIF_MS, ends - begins)
