"""Larger eyes for portraits in version 1: the photo's are enlarged before it is painted, on every face alike.

A network that is to enlarge them by itself fails on turned heads and half-closed eyes (docs/log.md); landmarks do not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from photo2anime.types import RGB

_LARGER = 1.75
_REACH = 0.42  # radius of what moves, over the distance between the eyes: up to the brows, not to the nose
_MOST_CELLS = 16  # on a side of the grid that bends; each is at least two pixels wide


def enlarge_eyes(face: RGB, eyes: Sequence[tuple[float, float]]) -> RGB:
    """The face with what lies around each eye enlarged, smoothly less further out: (H, W, 3) uint8 -> the same.

    eyes: the middles of both, in pixels of the face.
    """
    (left_x, left_y), (right_x, right_y) = eyes
    radius = _REACH * math.hypot(right_x - left_x, right_y - left_y)
    if radius < 1:
        return face
    image = Image.fromarray(face)
    side = 2 * math.ceil(radius)
    cells = min(_MOST_CELLS, side // 2)
    edges = [round(side * i / cells) for i in range(cells + 1)]
    for x, y in eyes:
        left, top = round(x) - side // 2, round(y) - side // 2
        rows, cols = np.meshgrid(edges, edges, indexing="ij")
        across, down = cols + left - x, rows + top - y
        near = np.clip(1 - (across**2 + down**2) / radius**2, 0, 1) ** 2
        kept = 1 - (1 - 1 / _LARGER) * near
        source_x, source_y = (x + kept * across).tolist(), (y + kept * down).tolist()
        mesh = [
            (
                (edges[j], edges[i], edges[j + 1], edges[i + 1]),
                tuple(
                    at[row][col]
                    for row, col in ((i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1))
                    for at in (source_x, source_y)
                ),
            )
            for i in range(cells)
            for j in range(cells)
        ]
        bent = image.transform((side, side), Image.Transform.MESH, mesh, Image.Resampling.BICUBIC)
        image.paste(bent, (left, top))
    return np.asarray(image)
