"""Every style on one sheet, for choosing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from photo2anime.painting import compose
from photo2anime.painting.stylizer import Stylizer
from photo2anime.types import RGB, Look, Painting, Picture, StyleCard

_CELL_PX = 1024  # the longer side of a picture on the sheet
_COLUMNS = 3


class Comparison:
    """Paints a photo in several styles and puts the results on one sheet; it can be used in place of a Stylizer."""

    NAME = "compare"

    def __init__(self, stylizers: Sequence[Stylizer]) -> None:
        self.stylizers, self.device = stylizers, stylizers[0].device
        self.card = StyleCard(name=self.NAME, file="")

    def paint_picture(self, picture: Picture, look: Look) -> Painting:
        """The photo and its painting in each style, with their names, in rows of three, on white.

        Larger photos are shrunk to 1024 pixels first. faces, warnings: those of the first style.
        """
        small = compose.shrink(picture, _CELL_PX)
        paintings = [stylizer.paint_picture(small, look) for stylizer in self.stylizers]
        cells = [_cell(small, "photo")]
        cells += [_cell(p.picture, s.card.name) for s, p in zip(self.stylizers, paintings, strict=True)]
        sheet = replace(picture, rgb=_in_rows(cells), alpha=None)
        return replace(paintings[0], picture=sheet)


def _cell(picture: Picture, name: str) -> RGB:
    """The picture on white, its name on a strip below."""
    height, width = picture.rgb.shape[:2]
    strip = max(16, max(height, width) // 24)
    cell = Image.new("RGB", (width, height + strip), "white")
    mask = None if picture.alpha is None else Image.fromarray(picture.alpha)
    cell.paste(Image.fromarray(picture.rgb), (0, 0), mask)
    font = ImageFont.load_default(strip * 0.7)
    ImageDraw.Draw(cell).text((width / 2, height + strip / 2), name, "black", font=font, anchor="mm")
    return np.asarray(cell)


def _in_rows(cells: Sequence[RGB]) -> RGB:
    """Cells of one size in rows of three, the last row filled with white."""
    rows = [list(cells[start : start + _COLUMNS]) for start in range(0, len(cells), _COLUMNS)]
    width = min(_COLUMNS, len(cells))
    rows[-1] += [np.full_like(cells[0], 255)] * (width - len(rows[-1]))
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])
