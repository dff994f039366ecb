"""Photos -> drawn pictures to learn from: chains of published networks and plain filters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photo2anime.inference.pixels import luma
from photo2anime.painting.stylizer import Stylizer
from photo2anime.train.networks.upscaler import Upscaler
from photo2anime.types import RGB, Face, Photo2AnimeError

Step = Callable[[RGB], RGB]  # (H, W, 3) uint8 -> the same size

FLATTEN = "flatten"
_RADIUS_PX, _LEVELS = 6, 16  # of the mean shift; twice as much melts twigs and wires (docs/log.md)
_EDGE_LEVELS = (7.0, 20.0)  # of brightness across a few pixels: below nothing is flattened, above all is
_EDGE_PX = 5  # how far around an edge is looked

_GRID_PX = 16  # one cell of the grid on which broad colours are compared
_REACH = 3  # cells to each side that count
_ALIKE_LEVELS = 28.0  # how much another colour may differ to count, sigma


def parse_chain(text: str, folder: Path = Path()) -> Step:
    """A chain of steps as one: "a.onnx,b.onnx" paints with a, then with b.

    "flatten" is mean shift; NETWORK.onnx a network that stylises; NETWORK.onnx@3 an upscaler, given the picture shrunk
    three times, its answer brought back to the picture's size: what was lost it draws as it knows it. folder: where
    the files lie. Raises Photo2AnimeError for a step that is none of these.
    """
    return _in_turn([_step(name.strip(), folder) for name in text.split(",")])


def _in_turn(steps: list[Step]) -> Step:
    def chain(picture: RGB) -> RGB:
        for step in steps:
            picture = step(picture)
        return picture

    return chain


def _step(name: str, folder: Path) -> Step:
    if name == FLATTEN:
        return flatten
    file, _, factor = name.partition("@")
    if not file.endswith(".onnx"):
        raise Photo2AnimeError(f"{name or 'an empty step'} is no step of a chain; use {FLATTEN}, A.onnx or B.onnx@3")
    if not factor:
        return Stylizer.load(folder / file).paint
    try:
        return _redraw(Upscaler(folder / file), float(factor))
    except (ValueError, OSError) as error:
        raise Photo2AnimeError(f"{name}: no upscaler and factor, such as B.onnx@3 ({error})") from error


def _redraw(upscaler: Upscaler, factor: float) -> Step:
    def step(picture: RGB) -> RGB:
        height, width = picture.shape[:2]
        return resized(upscaler(resized(picture, round(height / factor), round(width / factor))), height, width)

    return step


def flatten(picture: RGB) -> RGB:
    """Small texture gone, edges kept: mean shift (Comaniciu and Meer 2002), where there is something to flatten.

    Where a photo is smooth, a sky, a wall, a blurred background, mean shift makes terraces whose borders would become
    ink; there the photo stays, a little smoothed. (H, W, 3) uint8 -> the same.
    """
    flat = cv2.pyrMeanShiftFiltering(picture, _RADIUS_PX, _LEVELS, maxLevel=0)
    smooth = cv2.GaussianBlur(picture, (0, 0), 1.0)
    around = np.ones((2 * _EDGE_PX + 1, 2 * _EDGE_PX + 1), np.uint8)
    gray = cv2.GaussianBlur(luma(picture), (0, 0), 1.0)
    contrast = cv2.dilate(gray, around) - cv2.erode(gray, around)
    low, high = _EDGE_LEVELS
    share = cv2.GaussianBlur(np.clip((contrast - low) / (high - low), 0, 1), (0, 0), 3.0)[..., None]
    return np.asarray(np.rint(smooth + share * (flat.astype(np.float32) - smooth)), np.uint8)


def with_broad_colors(photo: RGB, drawn: RGB, share: float) -> RGB:
    """Drawn, moved by a share of what lies between its broad colours and the photo's: skin keeps its tone, walls their
    grey.

    Published networks normalise over the whole picture, so that they make one grey white and another navy; a network
    that sees a neighbourhood cannot learn that. A blur of the difference leaves a halo where head meets wall, so cells
    count for a pixel as far as their colour is like its own: joint bilateral upsampling (Kopf et al. 2007). Pictures
    (H, W, 3) uint8 of one size -> the same.
    """
    height, width = drawn.shape[:2]
    cells = (max(1, -(-width // _GRID_PX)), max(1, -(-height // _GRID_PX)))
    coarse_photo, coarse_drawn = (
        cv2.resize(cv2.GaussianBlur(p, (0, 0), _GRID_PX / 3), cells, interpolation=cv2.INTER_AREA).astype(np.float32)
        for p in (photo, drawn)
    )
    fine = cv2.GaussianBlur(drawn, (0, 0), 2.0).astype(np.float32)
    total, weights = np.zeros_like(fine), np.full((height, width, 1), 1e-6, np.float32)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    for down in range(-_REACH, _REACH + 1):
        for right in range(-_REACH, _REACH + 1):
            near = np.float32(np.exp(-(down**2 + right**2) / (2 * (_REACH / 1.8) ** 2)))
            at_x, at_y = (x + 0.5) / _GRID_PX - 0.5 + right, (y + 0.5) / _GRID_PX - 0.5 + down
            there = [
                cv2.remap(coarse, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
                for coarse in (coarse_photo - coarse_drawn, coarse_drawn)
            ]
            unlike = np.square(there[1] - fine).sum(-1, keepdims=True)
            weight = near * np.exp(-unlike / (2 * _ALIKE_LEVELS**2)) + near * np.float32(1e-3)
            total += weight * there[0]
            weights += weight
    return _rounded(drawn + share * total / weights)


def with_own_mouth(photo: RGB, drawn: RGB, face: Face) -> RGB:
    """Drawn with the hue of the photo's lips, and what is finer than a lip at half its contrast: teeth keep gaps, and
    nobody wears lipstick who did not. Pictures (H, W, 3) uint8 -> the same.
    """
    (left_x, left_y), (right_x, right_y) = face.landmarks[3:5]
    wide = float(np.hypot(right_x - left_x, right_y - left_y))
    if wide < 8:
        return drawn
    y, x = np.mgrid[: drawn.shape[0], : drawn.shape[1]].astype(np.float32)
    cos, sin = (right_x - left_x) / wide, (right_y - left_y) / wide
    across = (x - (left_x + right_x) / 2) * cos + (y - (left_y + right_y) / 2) * sin
    below = (y - (left_y + right_y) / 2) * cos - (x - (left_x + right_x) / 2) * sin
    distance = np.hypot(across / (0.75 * wide), (below - 0.05 * wide) / (0.42 * wide))
    inside = (np.clip(1.3 - distance, 0, 0.3) / 0.3)[..., None].astype(np.float32)
    own, ours = (cv2.cvtColor(p, cv2.COLOR_RGB2LAB).astype(np.float32) for p in (photo, drawn))
    blur = max(0.8, wide / 40)
    hue = cv2.GaussianBlur(own[..., 1:], (0, 0), blur) - cv2.GaussianBlur(ours[..., 1:], (0, 0), blur)
    fine = own[..., :1] - cv2.GaussianBlur(own[..., 0], (0, 0), max(1.0, wide / 16))[..., None]
    mended = ours + inside * np.concatenate([0.4 * fine, 0.85 * hue], axis=-1)
    return np.asarray(cv2.cvtColor(_rounded(mended), cv2.COLOR_LAB2RGB), np.uint8)


def resized(picture: RGB, height: int, width: int) -> RGB:
    """The picture in another size, by Lanczos; (H, W, 3) uint8."""
    if picture.shape[:2] == (height, width):
        return picture
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))


def _rounded(values: NDArray[np.float32]) -> RGB:
    return np.asarray(np.clip(values + 0.5, 0, 255), np.uint8)
