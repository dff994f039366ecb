"""The nouns of the package: pictures, tiles, styles, and the one error users see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

RGB: TypeAlias = NDArray[np.uint8]  # (H, W, 3), sRGB, upright
Batch: TypeAlias = NDArray[np.float32]  # (N, 3, H, W), in [-1, 1]
Network: TypeAlias = Callable[[Batch], Batch]  # same shape in and out

Tiling = Literal["exact", "approximate", "never"]


class Photo2AnimeError(Exception):
    """A mistake the user can mend. One line: what is wrong, what is accepted, what to do."""


class NotAPictureError(Photo2AnimeError):
    """The bytes are in no format this program reads."""


class TooLargeError(Photo2AnimeError):
    """A picture has more pixels than are accepted."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture, upright and in sRGB, with what has to survive painting.

    rgb: (H, W, 3) uint8. alpha: (H, W) uint8 or None for opaque. exif: raw EXIF bytes with the orientation reset, or
    None. xmp: raw XMP packet or None. dpi: (x, y) or None. format: Pillow's name of the source format ("JPEG"), None
    for arrays. frames: more than 1 when the source is animated and rgb is only its first frame.
    """

    rgb: RGB
    alpha: NDArray[np.uint8] | None = None
    exif: bytes | None = field(default=None, repr=False)
    xmp: bytes | None = field(default=None, repr=False)
    dpi: tuple[float, float] | None = None
    format: str | None = None
    frames: int = 1


@dataclass(frozen=True, slots=True)
class Tile:
    """One window over a picture; all pairs are (top, bottom) or (left, right) in pixels of the whole picture.

    rows, cols: what the network sees. keep_rows, keep_cols: the part of its answer that is used.
    """

    rows: tuple[int, int]
    cols: tuple[int, int]
    keep_rows: tuple[int, int]
    keep_cols: tuple[int, int]


@dataclass(frozen=True, slots=True)
class StyleCard:
    """What a style is, as facts: one row of styles.toml, or what a loose .onnx file says of itself.

    multiple_of: height and width the network accepts are multiples of this. fixed_size: (height, width) when the
    network takes no other. halo: pixels around a tile that its output depends on.
    tiling: "exact" when a tile equals the same place in the whole picture, "approximate" when whole-picture statistics
    make it differ, "never" when it may only run whole. max_side: longest side in pixels the style was trained to look
    right at. bytes_per_px: memory the network needs per pixel it is given.
    """

    name: str
    file: str
    sha256: str | None = None
    description: str = ""
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    multiple_of: int = 8
    fixed_size: tuple[int, int] | None = None
    halo: int = 64
    tiling: Tiling = "approximate"
    max_side: int = 1280
    bytes_per_px: int = 2500
    license: str = "unknown: see where the file came from"
