"""Enlarges drawings to twice their size with a small network that keeps lines sharp."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photo2anime.inference.pixels import to_batch, to_image
from photo2anime.types import RGB

NETWORK = "enlarge.onnx"
NETWORK_SHA256 = "f73ac00abc85f1419b9c1a3affb508f9efbc44aaae3daae673c072caa61fd3e9"

_REACH = 4  # pixels that the network looks around
_STRIP_ROWS = 64  # painted at a time, so that memory does not grow with the picture
_DOUBLED_FROM = 1.3  # smaller steps are left to Lanczos
_MOST_DOUBLINGS = 2


def enlarged(rgb: RGB, height: int, width: int) -> RGB:
    """A drawing at another size, larger as a rule: (h, w, 3) uint8 -> (height, width, 3).

    Doubled by the network where it grows by more than 1.3, up to twice; the rest is Lanczos.
    """
    for _ in range(_MOST_DOUBLINGS):
        if height >= _DOUBLED_FROM * rgb.shape[0]:
            rgb = doubled(rgb)
    return np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.LANCZOS))


def doubled(rgb: RGB) -> RGB:
    """A drawing at twice its size, strip by strip: (H, W, 3) uint8 -> (2H, 2W, 3)."""
    height, width = rgb.shape[:2]
    larger = np.empty((2 * height, 2 * width, 3), np.uint8)
    for first in range(0, height, _STRIP_ROWS):
        last = min(first + _STRIP_ROWS, height)
        top, bottom = max(first - _REACH, 0), min(last + _REACH, height)
        (strip,) = _network()(to_batch(rgb[top:bottom]))
        larger[2 * first : 2 * last] = to_image(strip)[2 * (first - top) : 2 * (last - top)]
    return larger


@cache
def _network() -> Callable[[NDArray[np.float32]], list[NDArray[Any]]]:
    from photo2anime.inference.runtime import open_model
    from photo2anime.inference.weights import bundled

    return open_model(bundled(NETWORK, NETWORK_SHA256))
