"""Reduces flicker: mixes each painted frame with the one before it, moved by the optical flow of the photos.

A recursive filter that is gated by how well the past fits the present is what noise reduction in video coders does; the
motion is dense inverse search (Kroeger et al. 2016, "Fast Optical Flow using Dense Inverse Search") as OpenCV has it.
Without OpenCV nothing is moved, and only what stands still is steadied.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from photo2anime.types import RGB

State = dict[str, NDArray[Any]]
Grey = NDArray[np.uint8]  # (h, w), brightness at a fraction of the frame's size
_SMALL_SIDE_PX = 400  # longer side, about, of the grey pictures that motion and fit are found in
_LEAST_FIT = 0.4  # share of the frame that has to fit the one before; less is a new scene
_MOST_NOISE_LEVELS = 8.0  # what may pass for noise in the small pictures
_FIT_LEVELS = (3.0, 12.0)  # differences above the noise: fully mixed below the first, not at all above the second
_SLIP = 0.25  # of the brightness range of a pixel and its neighbours: an edge moved by half a pixel still fits
_MOST_OF_THE_PAST = 0.95  # what strength 1 takes of the frame before
_OPENCV_BYTES = 1 << 29  # of address space that loading it takes, and some more
_FINEST_SCALE = 1  # of the motion: half of the small size; the preset's own quarter lets lines boil (docs/log.md)
_STILL_PX = 0.1  # motion below this, at the small size, is none: moving pixels by less would only blur them


class Steady:
    """Steadies paintings of frames that follow one another. strength: 0 is off, up to 1.

    `state` is all that it remembers; setting it goes on from there.
    """

    def __init__(self, strength: float) -> None:
        self.strength = strength
        self.state: State = {}
        self._move = _mover()

    def __call__(self, photo: RGB, anime: RGB) -> RGB:
        """Anime, the painting of photo, steadied by the frames before it: (H, W, 3) uint8 each."""
        if self.strength == 0:
            return anime
        small = _small(photo)
        if self.state and self.state["anime"].shape == anime.shape:
            anime = self._mixed(small, anime)
        self.state = {"small": small, "anime": anime}
        return anime

    def _mixed(self, small: Grey, anime: RGB) -> RGB:
        before, painted = self.state["small"], self.state["anime"]
        if self._move is not None:
            before, painted = self._move(small, before, painted)
        difference = np.abs(small.astype(np.float32) - before)
        noise = min(1.5 * float(np.median(difference)), _MOST_NOISE_LEVELS)
        difference -= _SLIP * (_most_around(small).astype(np.float32) - _least_around(small))
        low, high = (limit + noise for limit in _FIT_LEVELS)
        fit = np.clip((high - difference) / (high - low), 0, 1)
        if fit.mean() < _LEAST_FIT:
            return anime
        weight = _least_around((fit * (255 * self.strength * _MOST_OF_THE_PAST)).astype(np.uint8))
        soft = Image.fromarray(weight).filter(ImageFilter.BoxBlur(1))  # a misfit spreads, softly
        mask = soft.resize(anime.shape[1::-1], Image.Resampling.BILINEAR)
        return np.asarray(Image.composite(Image.fromarray(painted), Image.fromarray(anime), mask))


def _small(photo: RGB) -> Grey:
    """Brightness at a whole fraction of the size: noise is averaged away, edges are not."""
    factor = max(1, round(max(photo.shape) / _SMALL_SIDE_PX))
    return np.asarray(Image.fromarray(photo).convert("L").reduce(factor))


def _least_around(values: Grey) -> Grey:
    """The least of each pixel and its eight neighbours."""
    padded = np.pad(values, 1, mode="edge")
    rows = np.minimum(np.minimum(padded[:-2], padded[1:-1]), padded[2:])
    return np.minimum(np.minimum(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])


def _most_around(values: Grey) -> Grey:
    """The most of each pixel and its eight neighbours."""
    return 255 - _least_around(255 - values)


def _mover() -> Callable[[Grey, Grey, RGB], tuple[Grey, RGB]] | None:
    """(small now, small before, painting before) -> the two earlier ones moved onto now; None without OpenCV."""
    try:
        with mmap.mmap(-1, _OPENCV_BYTES):  # where that much is not to be had, loading it ends the process
            pass
        import cv2
    except ImportError:
        return None
    except OSError as error:
        raise MemoryError("no room for OpenCV") from error

    def moved(small: Grey, before: Grey, painted: RGB) -> tuple[Grey, RGB]:
        if min(small.shape) < 16:  # the finder's own pyramid needs so much
            return before, painted
        finder = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)  # type: ignore[attr-defined]
        finder.setFinestScale(_FINEST_SCALE)
        flow = finder.calc(small, before, None)  # a new one each time: nothing is remembered but the state
        if np.abs(flow).max() < _STILL_PX:
            return before, painted
        height, width = painted.shape[:2]
        scale = np.array([width / small.shape[1], height / small.shape[0]], np.float32)
        whole = cv2.resize(flow * scale, (width, height))
        for field, size in ((flow, small.shape), (whole, (height, width))):
            field[..., 0] += np.arange(size[1], dtype=np.float32)
            field[..., 1] += np.arange(size[0], dtype=np.float32)[:, None]
        edge = cv2.BORDER_REPLICATE
        before = np.asarray(cv2.remap(before, flow, None, cv2.INTER_LINEAR, borderMode=edge), np.uint8)  # type: ignore[call-overload]
        painted = np.asarray(cv2.remap(painted, whole, None, cv2.INTER_CUBIC, borderMode=edge), np.uint8)  # type: ignore[call-overload]
        return before, painted

    return moved
