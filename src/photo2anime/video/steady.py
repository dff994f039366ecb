"""Paintings that hold still where the photo does: each frame is mixed with the one before it, moved as the photo moved.

The idea of gating a recursive filter by how well the motion-compensated past fits is that of temporal noise reduction
in video coders; the motion is dense inverse search (Kroeger et al. 2016, "Fast Optical Flow using Dense Inverse
Search") as OpenCV has it. Without OpenCV nothing is moved, and only what stands still is steadied.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photo2anime.types import RGB

State = dict[str, NDArray[Any]]
_FLOW_SIDE_PX = 320  # longer side of the pictures motion is found in
_CUT_LEVELS = 24.0  # mean difference in grey levels, after motion, above which a new scene has begun
_FIT_LEVELS = (3.0, 12.0)  # differences above the noise: fully mixed below the first, not at all above the second


class Steady:
    """A painter of frames that follow one another. paint: one frame -> its painting. strength: 0 is off, up to 1.

    `state` is all that it remembers; setting it goes on from there.
    """

    def __init__(self, paint: Callable[[RGB], RGB], strength: float) -> None:
        self.paint, self.strength = paint, strength
        self.state: State = {}
        self._flow = _motion_finder()

    def __call__(self, photo: RGB) -> RGB:
        """The painting of photo, (H, W, 3) uint8, steadied by the frames before it."""
        anime = self.paint(photo)
        if self.strength == 0:
            return anime
        if self.state and self.state["photo"].shape == photo.shape:
            anime = self._mixed(photo, anime)
        self.state = {"photo": photo, "anime": anime}
        return anime

    def _mixed(self, photo: RGB, anime: RGB) -> RGB:
        before, painted = self.state["photo"], self.state["anime"]
        if self._flow is not None:
            before, painted = self._flow(photo, before, painted)
        difference = np.abs(_small(photo) - _small(before))
        if difference.mean() > _CUT_LEVELS:
            return anime
        noise = 1.5 * float(np.median(difference))
        low, high = (limit + noise for limit in _FIT_LEVELS)
        fit = np.clip((high - difference) / (high - low), 0, 1) * (self.strength * _MOST_OF_THE_PAST)
        weight = np.asarray(
            Image.fromarray((fit * 255).astype(np.uint8)).resize(photo.shape[1::-1], Image.Resampling.BILINEAR)
        )
        return _blend(painted, anime, weight)


_MOST_OF_THE_PAST = 0.85  # what strength 1 takes of the frame before


def _small(photo: RGB) -> NDArray[np.float32]:
    """Brightness at a quarter of the size, (ceil(H / 4), ceil(W / 4)) float32: noise is averaged away, edges are not."""
    return np.asarray(Image.fromarray(photo).convert("L").reduce(4), np.float32)


def _blend(past: RGB, present: RGB, weight: NDArray[np.uint8]) -> RGB:
    mask = Image.fromarray(weight)
    return np.asarray(Image.composite(Image.fromarray(past), Image.fromarray(present), mask))


def _motion_finder() -> Callable[[RGB, RGB, RGB], tuple[RGB, RGB]] | None:
    """(photo, photo before, painting before) -> the two earlier ones moved onto photo; None without OpenCV."""
    try:
        import cv2
    except ImportError:
        return None
    finder = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)  # type: ignore[attr-defined]

    def moved(photo: RGB, before: RGB, painted: RGB) -> tuple[RGB, RGB]:
        height, width = photo.shape[:2]
        scale = min(1.0, _FLOW_SIDE_PX / max(height, width))
        size = (max(16, round(width * scale)), max(16, round(height * scale)))
        grey = [
            cv2.resize(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)
            for picture in (photo, before)
        ]
        flow = finder.calc(grey[0], grey[1], None)
        flow = cv2.resize(flow, (width, height)) * np.array([width / size[0], height / size[1]], np.float32)
        rows, cols = np.mgrid[0:height, 0:width].astype(np.float32)
        maps = (cols + flow[..., 0], rows + flow[..., 1])

        def warp(picture: RGB, how: int) -> RGB:
            return np.asarray(cv2.remap(picture, *maps, how, borderMode=cv2.BORDER_REPLICATE), np.uint8)

        return warp(before, cv2.INTER_LINEAR), warp(painted, cv2.INTER_CUBIC)

    return moved
