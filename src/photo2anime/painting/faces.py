"""Finds the faces in a photo: YuNet runs on the whole photo, on rotated copies, and on windows of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photo2anime.inference.pixels import luma
from photo2anime.inference.weights import bundled
from photo2anime.types import RGB, Face

DETECTOR = "face_detection_yunet_2023mar.onnx"
DETECTOR_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"

_SIDE = 640  # pixels; the detector's only input size
_STRIDES = (8, 16, 32)
_OVERLAP_PX = 160  # of windows; a face larger than this at one scale is found at the next smaller one
_FINEST_SCALE = 0.5  # a face of 48 pixels is then 24 high, of which the detector finds nearly all
# What the detector has to give a face of so many pixels. Dogs, roses and pebbles reach 0.86; real faces large enough
# for that have 0.9, but small ones of 60 pixels in a large photo only 0.6 to 0.9 (docs/log.md).
_NEEDED_SCORE = ((24, 40, 56), (0.6, 0.8, 0.88))  # pixels at the finest scale
_NEEDED_SCORE_TURNED = ((24, 48, 64), (0.72, 0.82, 0.88))  # pixels on the sheet of turned copies
_SHARPNESS_PX = 40  # side of the face that sharpness is measured on
_SAME_FACE = 0.4  # intersection over the smaller box

Found = NDArray[np.float32]  # (N, 15): box xyxy, five landmarks xy, score


def find_faces(photo: RGB) -> list[Face]:
    """The faces of a photo, largest first, turned ones too: (H, W, 3) uint8 -> boxes and landmarks in its pixels.

    Faces from about 20 pixels are found, and in photos of more than 1280 pixels from about 40. Boxes may reach past
    the photo's border.
    """
    finest = min(1.0, max(_FINEST_SCALE, _SIDE / max(photo.shape[:2])))
    on_scales = _trusted(np.concatenate(list(_at_scales(photo))), finest, _NEEDED_SCORE)
    found = _best_of_each(np.concatenate([on_scales, _on_turned_copies(photo)]))
    faces = [Face(tuple(row[:4]), tuple(map(tuple, np.reshape(row[4:14], (5, 2)))), row[14]) for row in found.tolist()]
    return sorted(faces, key=lambda face: -face.side)


def sharpness(photo: RGB, face: Face) -> float:
    """How much fine detail a face has: variance of the Laplacian over variance of the brightness, inside its box.

    Measured on the face shrunk to 40 pixels, so that size and grain do not count; 0 is a flat surface, real faces have
    0.5 to 2, and 0.03 to 0.14 when blurred by a sigma of 3 % of their height.
    """
    height, width = photo.shape[:2]
    left, top, right, bottom = (round(side) for side in face.box)
    inside = photo[max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
    if min(inside.shape[:2]) < 3:
        return 0.0
    scale = min(1, _SHARPNESS_PX / face.side)
    size = [max(3, round(side * scale)) for side in (inside.shape[1], inside.shape[0])]
    y = luma(np.asarray(Image.fromarray(inside).resize((size[0], size[1]), Image.Resampling.LANCZOS)))
    laplacian = y[:-2, 1:-1] + y[2:, 1:-1] + y[1:-1, :-2] + y[1:-1, 2:] - 4 * y[1:-1, 1:-1]
    return float(laplacian.var() / max(float(y.var()), 1.0))


def _at_scales(photo: RGB) -> Iterator[Found]:
    """What is found on the photo shrunk into the detector's square, and for larger photos on finer copies too."""
    height, width = photo.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    yield _on_windows(photo, scale)
    while scale < _FINEST_SCALE:
        scale = min(_FINEST_SCALE, 4 * scale)
        yield _on_windows(photo, scale)


def _on_windows(photo: RGB, scale: float) -> Found:
    """What is found in windows of the photo shrunk by scale, in the photo's pixels; faces cut by a window left out."""
    small = _resized(photo, scale)
    height, width = small.shape[:2]
    found = []
    for top, left in itertools.product(_starts(height), _starts(width)):
        rows = _detect(small[top : top + _SIDE, left : left + _SIDE])
        inner = np.array([left > 0, top > 0, left + _SIDE < width, top + _SIDE < height])
        cut = np.concatenate([rows[:, :2] < 2, rows[:, 2:4] > _SIDE - 2], axis=1)
        rows = rows[~(cut & inner).any(axis=1)]
        rows[:, :14] += np.tile([left, top], 7)
        found.append(rows)
    rows = np.concatenate(found)
    rows[:, :14] /= np.tile([width / photo.shape[1], height / photo.shape[0]], 7)
    return rows


def _on_turned_copies(photo: RGB) -> Found:
    """What is found on one sheet of the photo at half the detector's size, turned by 0, 90, 180 and 270 degrees.

    It costs one run, and finds faces that lie or hang, and those too large for the full sheet.
    """
    half = _SIDE // 2
    small = _resized(photo, min(1.0, half / max(photo.shape[:2])))
    height, width = small.shape[:2]
    sheet = np.zeros((_SIDE, _SIDE, 3), np.uint8)
    corners = list(itertools.product((0, half), (0, half)))
    for turns, (top, left) in enumerate(corners):
        turned = np.rot90(small, turns)
        sheet[top : top + turned.shape[0], left : left + turned.shape[1]] = turned
    rows = _trusted(_detect(sheet), 1.0, _NEEDED_SCORE_TURNED)
    centers = (rows[:, :2] + rows[:, 2:4]) / 2
    found = []
    for turns, (top, left) in enumerate(corners):
        inside = ((centers >= (left, top)) & (centers < (left + half, top + half))).all(axis=1)
        points = rows[inside, :14].reshape(-1, 7, 2) - (left, top)
        for turn in range(turns, 0, -1):  # undo one quarter turn at a time; the one before was width or height wide
            x, y = points[..., 0], points[..., 1]
            points = np.stack([(width if turn % 2 else height) - y, x], axis=-1)
        points *= (photo.shape[1] / width, photo.shape[0] / height)
        box = np.concatenate([points[:, :2].min(axis=1), points[:, :2].max(axis=1)], axis=1)
        found.append(np.concatenate([box, points[:, 2:].reshape(-1, 10), rows[inside, 14:]], axis=1))
    return np.concatenate(found).astype(np.float32)


def _starts(length: int) -> list[int]:
    """Where windows begin along one axis: evenly spread, overlapping by at least _OVERLAP_PX."""
    if length <= _SIDE:
        return [0]
    count = -(-(length - _OVERLAP_PX) // (_SIDE - _OVERLAP_PX))
    return [round(i * (length - _SIDE) / (count - 1)) for i in range(count)]


def _resized(photo: RGB, scale: float) -> RGB:
    if scale == 1:
        return photo
    size = (max(1, round(photo.shape[1] * scale)), max(1, round(photo.shape[0] * scale)))
    return np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0))


def _detect(window: RGB) -> Found:
    """Every place of a window, at most 640 pixels on a side, that the detector gives 0.3 or more, in its pixels.

    The network answers for each cell of three grids: class and objectness in [0, 1], box center and log size, and
    landmarks, all relative to the cell and in units of its stride (Wu, Peng, Yu: YuNet, 2023).
    """
    batch = np.zeros((1, 3, _SIDE, _SIDE), np.float32)
    batch[0, :, : window.shape[0], : window.shape[1]] = window[..., ::-1].transpose(2, 0, 1)  # it takes BGR, 0 to 255
    answers = _detector()(batch)
    found = []
    for i, stride in enumerate(_STRIDES):
        class_, objectness, box, landmarks = (answers[i + 3 * kind][0] for kind in range(4))
        score = np.sqrt(np.clip(class_, 0, 1) * np.clip(objectness, 0, 1))
        likely = score[:, 0] >= 0.3
        row, col = np.divmod(np.flatnonzero(likely), _SIDE // stride)
        cell = np.stack([col, row], axis=1).astype(np.float32)
        center, half = cell + box[likely, :2], np.exp(box[likely, 2:]) / 2
        points = (cell[:, None] + landmarks[likely].reshape(-1, 5, 2)).reshape(-1, 10)
        places = np.concatenate([center - half, center + half, points], axis=1) * stride
        found.append(np.concatenate([places, score[likely]], axis=1))
    return _best_of_each(np.concatenate(found))


def _trusted(found: Found, scale: float, needed: tuple[tuple[float, ...], tuple[float, ...]]) -> Found:
    """Those of found with the score that is needed at their longer side in pixels times scale."""
    sides = (found[:, 2:4] - found[:, :2]).max(axis=1) * scale
    trusted: Found = found[found[:, 14] >= np.interp(sides, *needed)]
    return trusted


def _best_of_each(found: Found) -> Found:
    """What was found, without those that lie on a better one, best first (greedy non-maximum suppression)."""
    rest = found[np.argsort(-found[:, 14], kind="stable")]
    kept = []
    while len(rest):
        best, rest = rest[0], rest[1:]
        kept.append(best)
        overlap = np.clip(np.minimum(best[2:4], rest[:, 2:4]) - np.maximum(best[:2], rest[:, :2]), 0, None).prod(axis=1)
        areas = (rest[:, 2:4] - rest[:, :2]).prod(axis=1)
        rest = rest[overlap < _SAME_FACE * np.minimum(areas, (best[2:4] - best[:2]).prod())]
    return np.array(kept, np.float32).reshape(-1, 15)


@cache
def _detector() -> Callable[[NDArray[np.float32]], list[NDArray[Any]]]:
    """YuNet, ready to run. Raises Photo2AnimeError when its file is missing or another."""
    from photo2anime.inference.runtime import open_model

    return open_model(bundled(DETECTOR, DETECTOR_SHA256))
