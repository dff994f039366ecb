"""Faces painted by the portrait styles: cut out upright, enlarged, painted, and put back into the painted scene."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photo2anime.painting.compose import drawn_smaller
from photo2anime.painting.enlarge import enlarged
from photo2anime.painting.eyes import enlarge_eyes
from photo2anime.painting.faces import find_faces, sharpness
from photo2anime.styles import list_styles
from photo2anime.types import RGB, Face, FaceChoice, FaceVersion, PaintedFace, Painter, Photo2AnimeError

STYLES: dict[FaceVersion, str] = {"v1": "portrait-v1", "v2": "portrait-v2"}

_PORTRAIT_SHARE = 1 / 3  # a face higher than this share of the photo makes it a portrait
_DRAWN_FACE_PX = 240  # how high the face is drawn there: as in the pictures that were learned from
_LEAST_FACE_PX = 28  # smaller faces are left to the scene's style
_STYLIZED_FACE_PX = 64  # from here on version 1; below, enlarged eyes are a few pixels and gain nothing
_MARGIN = 1.8  # side of the square over that of the face: hair, ears and chin are inside
_RAISED = 0.06  # of the square's side: there is more head above the face's box than below it
_LEAST_PX, _MOST_PX, _MULTIPLE = 352, 512, 16  # sides the portrait networks were trained at
_UPRIGHT_DEGREES = 20  # faces turned by less, or by as little from a quarter turn, need no resampling
_SOLID, _GONE = 0.6, 0.95  # the mask is 1 up to here and 0 from here, in halves of the square's side
_ROUNDNESS = 3  # of the mask: 2 is a circle, infinity a square
_FIT_PX = 48  # side of the copies that colours are compared on
_STYLED = np.float32(0.5)  # share of the style's colour map that a face takes; all of hayao's makes skin pink
_HOLD_BACK = 25.0  # levels squared; colours the photo has little of are not thrown far
_COLOR_CELLS = 6  # on a side of the square: a painted face takes the scene's mean colour in each, smoothly
_MOST_BROAD = np.float32(12)  # levels; more would shine past the outline of the head
_LEAST_SHARPNESS = 0.11  # of a face; below it eyes and mouth are smears (docs/log.md)


@dataclass(frozen=True, slots=True)
class FaceSquare:
    """The square around a face, turned as the face is, in pixels of the photo; it may reach past the border.

    left, top, reach_px: the upright square that holds it. side_px: its own side. turn: degrees, clockwise.
    """

    left: int
    top: int
    reach_px: int
    side_px: float
    turn: float

    def distance(self, rows: NDArray[np.float32], cols: NDArray[np.float32]) -> NDArray[np.float32]:
        """How far pixel centers lie from the middle: 0 there, 1 on the border of the square with rounded corners."""
        x, y = cols - self.left - self.reach_px / 2, rows - self.top - self.reach_px / 2
        cos, sin = math.cos(math.radians(self.turn)), math.sin(math.radians(self.turn))
        across, down = np.abs(x * cos + y * sin), np.abs(y * cos - x * sin)
        distance: NDArray[np.float32] = (across**_ROUNDNESS + down**_ROUNDNESS) ** (1 / _ROUNDNESS)
        return distance * (2 / self.side_px)

    def upright(self, x: float, y: float, side: int) -> tuple[float, float]:
        """Where a point of the photo comes to lie when the square is cut out upright, side pixels wide."""
        x, y = x - self.left - self.reach_px / 2, y - self.top - self.reach_px / 2
        cos, sin = math.cos(math.radians(self.turn)), math.sin(math.radians(self.turn))
        scale = side / self.side_px
        return side / 2 + scale * (x * cos + y * sin), side / 2 + scale * (y * cos - x * sin)

    def touches(self, other: FaceSquare) -> bool:
        return (
            abs(2 * (self.left - other.left) + self.reach_px - other.reach_px) < self.reach_px + other.reach_px
            and abs(2 * (self.top - other.top) + self.reach_px - other.reach_px) < self.reach_px + other.reach_px
        )


def check_choice(choice: FaceChoice, painters: Mapping[FaceVersion, Painter]) -> None:
    """Raises Photo2AnimeError when a portrait version is asked for that is not installed."""
    if choice in STYLES and choice not in painters:
        raise Photo2AnimeError(
            f"faces in {choice} need the style {STYLES[choice]}, which is not installed; there are "
            f"{', '.join(list_styles())}; leave --faces out"
        )


def find_sitters(
    photo: RGB, choice: FaceChoice, painters: Mapping[FaceVersion, Painter], *, own_style: str
) -> tuple[PaintedFace, ...]:
    """The photo's faces, largest first, each with the version that is to paint it; none are looked for without need.

    own_style: the style of the scene; when it is itself a portrait style, "auto" means that version. Raises
    Photo2AnimeError when a version is asked for that is not there.
    """
    check_choice(choice, painters)
    if choice == "off" or not painters:
        return ()
    own = next((version for version, style in STYLES.items() if style == own_style and version in painters), None)
    found = []
    for face in find_faces(photo):
        version = own or suited_version(face) if choice == "auto" else choice
        version = version if version in painters else next(iter(painters))
        blurred = face.side >= _LEAST_FACE_PX and sharpness(photo, face) < _LEAST_SHARPNESS
        found.append(PaintedFace(face, version if face.side >= _LEAST_FACE_PX else None, blurred))
    return tuple(found)


def suited_version(face: Face) -> FaceVersion:
    """Version 1, more stylised, for faces large enough for it; version 2, more faithful, for all others."""
    return "v1" if face.side >= _STYLIZED_FACE_PX else "v2"


def warnings_of(found: Sequence[PaintedFace], choice: FaceChoice, *, own_style: str) -> tuple[str, ...]:
    """What the user should know of the faces, one line each."""
    if own_style in STYLES.values() and choice != "off" and not found:
        return (f"no face was found; {own_style} paints the whole photo",)
    blurred = sum(face.blurred for face in found)
    if not blurred:
        return ()
    which = "the face is" if len(found) == 1 else f"{blurred} of {len(found)} faces are"
    return (f"{which} too blurred in the photo to be drawn well; painted all the same; a sharper photo helps",)


def whole_portrait(photo: RGB, found: Sequence[PaintedFace], painters: Mapping[FaceVersion, Painter]) -> RGB | None:
    """A portrait photo painted whole by the version of its largest face, so that face, shoulders and wall are of one
    hand; None for a photo that is none. (H, W, 3) uint8 -> the same.
    """
    largest = max(found, key=lambda face: face.face.side, default=None)
    if largest is None or largest.version is None or largest.face.side < _PORTRAIT_SHARE * photo.shape[0]:
        return None
    longer = max(photo.shape[:2])
    for sitter in found:
        if sitter.version == "v1":
            photo = enlarge_eyes(photo, sitter.face.landmarks[:2])
    return drawn_smaller(photo, round(longer * _DRAWN_FACE_PX / largest.face.side), painters[largest.version])


def paint_faces(
    photo: RGB,
    scene: RGB,
    found: Sequence[PaintedFace],
    painters: Mapping[FaceVersion, Painter],
    strength: float = 1.0,
) -> RGB:
    """The scene with the faces painted into it one at a time: photo and its painted scene (H, W, 3) uint8 -> the same.

    Each pixel belongs to the face it is nearest to, in units of that face's size, so their order does not matter.
    strength: 1 is the full portrait, 0 the scene.
    """
    jobs = [(square_of(face.face), face) for face in found if face.version]
    if not jobs or strength == 0:
        return scene
    result = scene.copy()
    for square, face in jobs:
        rows = slice(max(square.top, 0), min(square.top + square.reach_px, scene.shape[0]))
        cols = slice(max(square.left, 0), min(square.left + square.reach_px, scene.shape[1]))
        neighbours = [other for other, _ in jobs if other is not square and other.touches(square)]
        mask, inside = _mask(square, neighbours, rows, cols)
        portrait = put_upright_back(_portrait(photo, square, face, painters), square)
        portrait = portrait[rows.start - square.top :, cols.start - square.left :][: mask.shape[0], : mask.shape[1]]
        change = (
            strength
            * face.weight
            * mask[..., None]
            * _fitted_change(portrait, photo[rows, cols], scene[rows, cols], inside)
        )
        result[rows, cols] = np.clip(result[rows, cols] + change + 0.5, 0, 255).astype(np.uint8)
    return result


def _portrait(photo: RGB, square: FaceSquare, face: PaintedFace, painters: Mapping[FaceVersion, Painter]) -> RGB:
    """The square around a face, upright, painted in the face's version; (S, S, 3) uint8."""
    assert face.version is not None
    cut = cut_upright(photo, square)
    if face.version == "v1":
        cut = enlarge_eyes(cut, [square.upright(x, y, cut.shape[0]) for x, y in face.face.landmarks[:2]])
    return painters[face.version](cut)


def square_of(face: Face) -> FaceSquare:
    """The square in which a face is painted, its turn set to the nearest quarter when it is close to one."""
    quarter = round(face.turn / 90) * 90
    turn = quarter if abs(face.turn - quarter) < _UPRIGHT_DEGREES else face.turn
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    side = _MARGIN * face.side
    reach = 2 * math.ceil(side * (abs(cos) + abs(sin)) / 2)
    center_x = (face.box[0] + face.box[2]) / 2 + _RAISED * side * sin
    center_y = (face.box[1] + face.box[3]) / 2 - _RAISED * side * cos
    return FaceSquare(round(center_x - reach / 2), round(center_y - reach / 2), reach, side, turn)


def cut_upright(photo: RGB, square: FaceSquare) -> RGB:
    """The square out of the photo, turned upright, at a size a portrait network likes; (S, S, 3) uint8.

    Small faces are enlarged. What lies past the photo's border repeats it.
    """
    bottom, right = square.top + square.reach_px, square.left + square.reach_px
    inside = photo[max(square.top, 0) : bottom, max(square.left, 0) : right]
    before = (max(-square.top, 0), max(-square.left, 0))
    after = (max(bottom - photo.shape[0], 0), max(right - photo.shape[1], 0))
    region = Image.fromarray(np.pad(inside, (*zip(before, after, strict=True), (0, 0)), mode="edge"))
    side = _network_side(square)
    reach = round(side * square.reach_px / square.side_px)
    region = region.resize((reach, reach), Image.Resampling.LANCZOS).rotate(square.turn, Image.Resampling.BICUBIC)
    edge = (reach - side) // 2
    return np.asarray(region)[edge : edge + side, edge : edge + side]


def put_upright_back(portrait: RGB, square: FaceSquare) -> RGB:
    """What cut_upright cut, turned and scaled back: (S, S, 3) -> (reach_px, reach_px, 3), black past its corners."""
    reach = round(portrait.shape[0] * square.reach_px / square.side_px)
    canvas = Image.new("RGB", (reach, reach))
    canvas.paste(Image.fromarray(portrait), ((reach - portrait.shape[0]) // 2,) * 2)
    canvas = canvas.rotate(-square.turn, Image.Resampling.BICUBIC)
    return enlarged(np.asarray(canvas), square.reach_px, square.reach_px)


def _network_side(square: FaceSquare) -> int:
    return round(min(max(square.side_px, _LEAST_PX), _MOST_PX) / _MULTIPLE) * _MULTIPLE


def _mask(
    square: FaceSquare, neighbours: list[FaceSquare], rows: slice, cols: slice
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """How much of each pixel the face takes, 0 to 1, and which pixels its square holds; two of (h, w).

    Where others reach too, the nearest has nearly all.
    """
    y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] + np.float32(0.5)
    x = np.arange(cols.start, cols.stop, dtype=np.float32)[None] + np.float32(0.5)
    distance = np.maximum(square.distance(y, x), np.float32(1e-3))
    share = np.clip((_GONE - distance) / (_GONE - _SOLID), 0, 1)
    rivals = np.ones_like(distance)
    for other in neighbours:
        rivals += (distance / np.maximum(other.distance(y, x), np.float32(1e-3))) ** 8
    return (share * share * (3 - 2 * share) / rivals).astype(np.float32), distance < 1


def _fitted_change(portrait: RGB, photo: RGB, scene: RGB, inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """What the portrait changes at its place in the scene once it has the scene's colours; (h, w, 3), in levels.

    The style moves the photo's colours; the affine map that comes nearest to that (least squares) is applied to the
    portrait. Of the difference that is left, what is broader than a cell is taken off, up to a limit. The portrait's
    lines and shapes stay, the scene's palette and light too. Pictures (h, w, 3) uint8; inside: (h, w), where the
    portrait is.
    """
    height, width = inside.shape
    size = (min(_FIT_PX, width), min(_FIT_PX, height))
    before, after = (_shrunk(pixels, size).reshape(-1, 3) for pixels in (photo, scene))
    middle = before.mean(axis=0)
    spread = before - middle
    held = _HOLD_BACK * len(before) * np.eye(3)
    slope = np.linalg.solve(spread.T @ spread + held, spread.T @ (after - before)).astype(np.float32)
    change: NDArray[np.float32] = portrait.astype(np.float32) - scene
    change += _STYLED * ((portrait - middle) @ slope + (after - before).mean(axis=0))
    change[~inside] = 0
    for channel in range(3):
        cells = Image.fromarray(change[..., channel]).resize((_COLOR_CELLS, _COLOR_CELLS), Image.Resampling.BOX)
        broad = np.asarray(cells.resize((width, height), Image.Resampling.BICUBIC))
        change[..., channel] -= _MOST_BROAD * np.tanh(broad / _MOST_BROAD)
    return change


def _shrunk(pixels: RGB, size: tuple[int, int]) -> NDArray[np.float32]:
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX), np.float32)
