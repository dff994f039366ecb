"""Operations on whole photos and paintings: resize, blend, keep the photo's colours, place side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photo2anime.painting.enlarge import enlarged
from photo2anime.types import RGB, Picture


def blend(photo: RGB, anime: RGB, strength: float) -> RGB:
    """Anime at strength 1, the photo at 0, a mixture between. Two (H, W, 3) uint8 -> the same."""
    if strength == 1:
        return anime
    return np.asarray(Image.blend(Image.fromarray(photo), Image.fromarray(anime), strength))


def keep_color(photo: RGB, anime: RGB) -> RGB:
    """The brightness of anime with the hue and chroma of the photo (YCbCr of JPEG). Two (H, W, 3) uint8 -> the same."""
    y = Image.fromarray(anime).convert("YCbCr").getchannel("Y")
    _, cb, cr = Image.fromarray(photo).convert("YCbCr").split()
    return np.asarray(Image.merge("YCbCr", (y, cb, cr)).convert("RGB"))


def shrink(picture: Picture, max_side: int) -> Picture:
    """Picture with its longer side at most max_side pixels, proportions kept (Lanczos); a smaller one unchanged."""
    height, width = picture.rgb.shape[:2]
    scale = max_side / max(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))

    def resized(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))

    alpha = None if picture.alpha is None else resized(picture.alpha)
    return replace(picture, rgb=resized(picture.rgb), alpha=alpha)


def drawn_smaller(photo: RGB, longer_px: int, draw: Callable[[RGB], RGB]) -> RGB:
    """What draw makes of the photo shrunk to a longer side of longer_px, at its own size again; a smaller photo, or any
    for 0, is drawn as it is. (H, W, 3) uint8 -> the same.

    Of a long strip twice the shorter side counts: a panorama is not drawn as small as its length asks.
    """
    height, width = photo.shape[:2]
    longer = max(height, width)
    counted = min(longer, 2 * min(height, width))
    if not 0 < longer_px < counted:
        return draw(photo)
    small = shrink(Picture(photo), round(longer * longer_px / counted)).rgb
    return enlarged(draw(small), height, width)


def side_by_side(photo: RGB, anime: RGB) -> RGB:
    """The photo left, anime right. Two (H, W, 3) uint8 -> (H, 2W, 3)."""
    return np.concatenate([photo, anime], axis=1)


def beside(picture: Picture, painted: Picture) -> Picture:
    """The photo left, its painting right, transparency of both kept."""
    alpha = picture.alpha
    both = None if alpha is None else side_by_side(alpha, alpha)
    return replace(painted, rgb=side_by_side(picture.rgb, painted.rgb), alpha=both)


def feather_into(canvas: RGB, painted: RGB, top: int, left: int, ramp_rows: int, ramp_cols: int) -> None:
    """Puts painted on canvas at (top, left), fading in over its first ramp_rows and ramp_cols pixels."""
    height, width = painted.shape[:2]
    place = canvas[top : top + height, left : left + width]
    if not ramp_rows and not ramp_cols:
        place[:] = painted
        return
    weight = np.outer(_ramp(height, ramp_rows), _ramp(width, ramp_cols))[..., None]
    place[:] = (place * (1 - weight) + painted * weight + 0.5).astype(np.uint8)


def _ramp(length: int, rise: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    ramp = np.ones(length, np.float32)
    ramp[:rise] = (np.arange(min(rise, length), dtype=np.float32) + 0.5) / max(rise, 1)
    return ramp
