"""The records that all modules share: pictures, faces, tiles, styles; and the errors that users see."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

RGB: TypeAlias = NDArray[np.uint8]  # (H, W, 3), sRGB, upright
Batch: TypeAlias = NDArray[np.float32]  # (N, 3, H, W), in [-1, 1]
Painter: TypeAlias = Callable[[RGB], RGB]  # same size in and out
MeanColor: TypeAlias = NDArray[np.float32]  # (N, 3), of whole pictures, in [-1, 1]
Network: TypeAlias = Callable[..., Batch]  # (Batch) or, where the card says so, (Batch, MeanColor) -> same shape

Tiling = Literal["exact", "approximate", "never"]
FaceVersion = Literal["v1", "v2"]
FaceChoice = Literal["auto", "off", "v1", "v2"]
LineWeight = Literal["fine", "medium", "broad"]
Precision = Literal["auto", "float32", "int8", "fast"]
DEVICES = ("auto", "cpu", "cuda", "directml", "coreml")  # what a network can be asked to run on


class Photo2AnimeError(Exception):
    """A mistake the user can mend. One line: what is wrong, what is accepted, what to do."""


class NotAPictureError(Photo2AnimeError):
    """The bytes are in no format this program reads."""


class MemoryRanOutError(Photo2AnimeError):
    """There was not enough memory for this picture."""

    def __init__(
        self, message: str = "memory ran out; try --max-side, a smaller --tile, or close other programs"
    ) -> None:
        super().__init__(message)


class TooLargeError(Photo2AnimeError):
    """A picture has more pixels than are accepted."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture, upright and in sRGB, with what has to survive painting.

    rgb: (H, W, 3) uint8. alpha: (H, W) uint8 or None for opaque. exif: raw EXIF bytes with the orientation reset, or
    None. xmp: raw XMP packet or None. iptc: IPTC-IIM records or None. text: keyword and text of PNG's text chunks and
    of comments. dpi: (x, y) or None. format: Pillow's name of the source format ("JPEG"), None for arrays. frames: more
    than 1 when the source is animated and rgb is only its first frame. notes: what was done to make it so that the
    user should know, one line each.
    """

    rgb: RGB
    alpha: NDArray[np.uint8] | None = None
    exif: bytes | None = field(default=None, repr=False)
    xmp: bytes | None = field(default=None, repr=False)
    iptc: bytes | None = field(default=None, repr=False)
    text: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    dpi: tuple[float, float] | None = None
    format: str | None = None
    frames: int = 1
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Face:
    """A face in a photo, in its pixels, x before y.

    box: (left, top, right, bottom), may reach past the border. landmarks: the person's right eye, left eye, nose, right
    and left corner of the mouth. score: the detector's trust, 0 to 1.
    """

    box: tuple[float, float, float, float]
    landmarks: tuple[tuple[float, float], ...]
    score: float

    @property
    def side(self) -> float:
        """The longer side of the box, which is the face's height however it is turned."""
        return max(self.box[2] - self.box[0], self.box[3] - self.box[1])

    @property
    def turn(self) -> float:
        """By how many degrees the face is turned clockwise from upright, -180 to 180, as eyes and mouth show."""
        right_eye, left_eye, _, right_mouth, left_mouth = self.landmarks
        across = (left_eye[0] - right_eye[0], left_eye[1] - right_eye[1])
        down = tuple((left_mouth[i] + right_mouth[i] - left_eye[i] - right_eye[i]) / 2 for i in (0, 1))
        return math.degrees(math.atan2(across[1] - down[0], across[0] + down[1]))


@dataclass(frozen=True, slots=True)
class Look:
    """What the user wants of a painting besides the style. Raises Photo2AnimeError for what it cannot be.

    strength: 1 is the full style, 0 the photo. keep_color: the photo's hue and chroma stay. faces: "auto" paints each
    face in the portrait version that suits its size, "v1" and "v2" all in that one, "off" none. face_strength: 1 is the
    full portrait, 0 the face as the scene's style paints it. lines: how thick they are in the picture: lines have one
    width in pixels, so larger photos are painted smaller, the smaller the broader, and enlarged again. drawn_px: the
    longer side that is painted at, whatever lines says; 0 never shrinks.
    """

    strength: float = 1.0
    keep_color: bool = False
    faces: FaceChoice = "auto"
    face_strength: float = 1.0
    drawn_px: int | None = None
    lines: LineWeight = "medium"

    def __post_init__(self) -> None:
        for name, value in (("strength", self.strength), ("face strength", self.face_strength)):
            if not 0 <= value <= 1:
                raise Photo2AnimeError(f"{name} {value:g} is outside 0 to 1")
        if self.faces not in get_args(FaceChoice):
            raise Photo2AnimeError(f"no choice of faces called {self.faces}; use {', '.join(get_args(FaceChoice))}")
        if self.lines not in get_args(LineWeight):
            raise Photo2AnimeError(f"no lines called {self.lines}; use {', '.join(get_args(LineWeight))}")


@dataclass(frozen=True, slots=True)
class PaintedFace:
    """A face that was found and what became of it.

    version: the portrait that painted it, or None when it was left to the scene's style. blurred: the photo shows too
    little of it to be drawn well. weight: how much of the portrait is taken, 0 to 1.
    """

    face: Face
    version: FaceVersion | None
    blurred: bool = False
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Painting:
    """A painted picture and what is to be reported of it. warnings: one line each, for the user."""

    picture: Picture
    faces: tuple[PaintedFace, ...] = ()
    warnings: tuple[str, ...] = ()


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
    make it differ, "never" when it may only run whole. max_side: longer side in pixels at which lines look right;
    larger photos are painted at it and enlarged. grade: the film's colours that go over it (grades.toml), or None.
    free: whether the network may be used for anything, commercially too. bytes_per_px: memory the network needs per
    pixel it is given. mean_color: whether it is also given the mean colour of the whole picture. int8_file,
    int8_sha256: the same network with 8-bit weights and activations. fast_file, fast_sha256: a smaller one, in 8 bits
    too, that video is painted with.
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
    max_side: int = 1920
    bytes_per_px: int = 2500
    mean_color: bool = False
    grade: str | None = None
    license: str = "unknown: see where the file came from"
    free: bool = False
    int8_file: str | None = None
    int8_sha256: str | None = None
    fast_file: str | None = None
    fast_sha256: str | None = None
