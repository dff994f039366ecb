"""Reads and writes animated pictures (GIF, WebP, APNG, AVIF) with Pillow."""

from __future__ import annotations

import os
import struct
import warnings
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
_CLEAR = 255  # the colour number that is transparent in GIFs
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, RuntimeError, struct.error)


def is_animation(file: Path) -> bool:
    """Whether Pillow knows file as an animated picture. Raises Photo2AnimeError for one of absurd size."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with _open(file) as image:
                return image.format == "GIF" or getattr(image, "n_frames", 1) > 1
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise Photo2AnimeError(
                f"{file} has more pixels than an animation may have ({Image.MAX_IMAGE_PIXELS}); "
                "use `photo2anime paint` for a still picture"
            ) from None
        except (UnidentifiedImageError, *_BROKEN):
            return False


def _open(file: Path) -> Image.Image:
    return Image.open(file, formats=sorted(set(FORMATS.values())))


class AnimationSource:
    """An animated picture opened for painting, with the interface of VideoSource. Durations of 0 count as 100 ms."""

    def __init__(self, file: Path, *, max_side: int | None = None, start: float = 0, end: float | None = None) -> None:
        self.file, self.start, self.losses = file, Fraction(str(start)), Losses()
        self.end = None if end is None else Fraction(str(end))
        self.notes: list[str] = []
        self.matrix, self.stream_index = 1, None  # no video stream, so nothing to copy beside it
        try:
            with _open(file) as image:
                scale = min(1.0, max_side / max(image.size)) if max_side else 1.0
                size = (max(1, round(image.height * scale)), max(1, round(image.width * scale)))
                plays, frames = _plays(image), int(getattr(image, "n_frames", 1))
                image.load()
                fps = Fraction(1000, max(1, round(image.info.get("duration", 0) or _USUAL_MS)))
                frames -= bool(getattr(image, "default_image", False))
        except _BROKEN as error:
            raise Photo2AnimeError(f"{file} is damaged or cut short ({error}); copy or download it again") from error
        self.facts = Facts(*size, _TIME_BASE, fps, frames=frames, alpha=_has_alpha(file), plays=plays)

    def __enter__(self) -> AnimationSource:
        return self

    def __exit__(self, *_: object) -> None: ...

    def frames(self, skip: int = 0) -> Iterator[Frame]:
        """Frame after frame, composed as a viewer shows it, with alpha; timestamps in milliseconds from start."""
        now, size = 0, (self.facts.width, self.facts.height)
        with _open(self.file) as image:
            for shown in _composed(image, self.losses):
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


def _composed(image: Image.Image, losses: Losses) -> Iterator[Image.Image]:
    """Every frame as a viewer shows it, RGB or RGBA, without the one that APNG shows where it is no animation."""
    for number in range(bool(getattr(image, "default_image", False)), int(getattr(image, "n_frames", 1))):
        try:
            image.seek(number)
            shown = image.convert("RGBA" if image.has_transparency_data else "RGB")
        except _BROKEN:
            losses.broken_packets += 1
            return
        yield shown


def _has_alpha(file: Path) -> bool:
    with _open(file) as image:
        composed = _composed(image, Losses())
        return any(shown.mode == "RGBA" and np.asarray(shown.getchannel("A")).min() < 255 for shown in composed)


def _plays(image: Image.Image) -> int:
    """How often it is shown, 0 is for ever. GIF says how often it is shown again, and nothing when once is enough."""
    if image.format == "GIF":
        again = image.info.get("loop")
        return 1 if again is None else again + 1 if again else 0
    return int(image.info.get("loop", 0))


def write_animation(file: Path, format: str, frames: Iterable[Frame], facts: Facts, quality: int | None) -> int:
    """Writes all frames and returns how many. file: where, not yet under its final name. quality: of WebP and AVIF.

    GIF counts in hundredths of a second: each frame begins at the nearest one, and frames that would show for less than
    20 ms are left out. Pillow keeps frames that are equal as one longer frame.
    """
    durations: list[int] = []
    timed = _in_hundredths(frames, facts.time_base) if format == "GIF" else _in_ms(frames, facts.time_base)

    def pictures() -> Iterator[Image.Image]:
        for frame, milliseconds in timed:
            durations.append(milliseconds)
            yield _picture(frame, format)

    # Pillow asks for all durations before it asks for the pictures, so the pictures are made first.
    made = list(pictures())
    if not made:
        raise Photo2AnimeError("there are no frames between --start and --end")
    options: dict[str, Any] = {} if format in ("GIF", "PNG") else {"quality": quality or 80}
    if format == "GIF":  # a frame with holes would show the one before it through them
        options |= {"optimize": False, "disposal": 2 if facts.alpha else 0}
        options |= {"loop": max(0, facts.plays - 1)} if facts.plays != 1 else {}
    elif format != "AVIF":
        options["loop"] = facts.plays
    with open(file, "wb") as opened:
        made[0].save(opened, format, save_all=True, append_images=made[1:], duration=durations, **options)
        opened.flush()
        os.fsync(opened.fileno())
    return len(made)


def _picture(frame: Frame, format: str) -> Image.Image:
    """A frame for Pillow's writer: for GIF with its own 256 colours, one of them clear when there is transparency."""
    if frame.alpha is None or (format == "GIF" and frame.alpha.min() >= 128):
        return Image.fromarray(np.ascontiguousarray(frame.rgb))
    if format != "GIF":
        return Image.fromarray(np.dstack([frame.rgb, frame.alpha]))
    clear = frame.alpha < 128
    rgb = frame.rgb.copy()
    rgb[clear] = rgb[~clear][0] if not clear.all() else 0  # so that clear pixels take no colour from the others
    numbers = Image.fromarray(rgb).quantize(_CLEAR, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    palette = (numbers.getpalette() or [])[: 3 * _CLEAR]
    picture = Image.fromarray(np.where(clear, np.uint8(_CLEAR), np.asarray(numbers)), mode="P")
    picture.putpalette([*palette, *[0] * (768 - len(palette))])
    picture.info["transparency"] = _CLEAR
    return picture


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
