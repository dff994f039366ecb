"""Which pictures and which parts of them are worth training on."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from photo2anime.inference.pixels import luma
from photo2anime.train.data.films import thumb
from photo2anime.types import RGB

Flags = NDArray[np.bool_]

# Measured on 66 film stills of 1100x600: none is refused; blurred with sigma 1.5 nearly all of them are.
DARK_LEVEL = 25.0  # mean brightness below this
FLAT_CONTRAST = 10.0  # standard deviation of brightness below this
FLAT_GRADIENT = 1.0  # mean gradient of a crop below this: sky, a wall
SHARPNESS = 0.75  # strongest second over strongest first differences; stills have 1.25 to 3, blurred ones 0.5 to 0.8
DUPLICATE_LEVELS = 6.0  # between fingerprints; of 264 stills: itself in other light up to 3.6, two of them 14 at least

_BLACK_LEVEL, _BLACK_SPREAD = 24.0, 6.0  # of a letterbox line
_STROKE_LEVEL = 70.0  # how much brighter than what is around it the stroke of a subtitle's letter is
_LETTERS = 12  # strokes in a line of text, at least
_SUBTITLE_SHARE = 0.30  # subtitles stand in the lowest part of a picture


def why_not(rgb: RGB) -> str | None:
    """Gives "dark", "flat" or "blurred" for a picture that teaches nothing, else None."""
    y = luma(rgb)
    if float(y.mean()) < DARK_LEVEL:
        return "dark"
    if float(y.std()) < FLAT_CONTRAST:
        return "flat"
    return "blurred" if sharpness(y) < SHARPNESS else None


def sharpness(y: NDArray[np.float32]) -> float:
    """How narrow the sharpest edges are: the 99th percentile of |Laplacian| over that of the gradient, 0 if flat.

    Ratio, so that contrast does not matter and flat areas, of which drawings have many, do not count as blur.
    """
    laplacian = np.abs(cv2.Laplacian(y, cv2.CV_32F))
    gradient = np.hypot(cv2.Sobel(y, cv2.CV_32F, 1, 0), cv2.Sobel(y, cv2.CV_32F, 0, 1)) / 8
    strongest = float(np.percentile(gradient, 99))
    return float(np.percentile(laplacian, 99)) / strongest if strongest else 0.0


def without_bars(rgb: RGB) -> RGB:
    """The picture without black bars at its borders (letterbox, pillarbox); itself when it has none."""
    y = luma(rgb)
    if float(y.mean()) < DARK_LEVEL:
        return rgb  # a night scene, dark to its borders
    top, bottom = _bar((y.mean(1) < _BLACK_LEVEL) & (y.std(1) < _BLACK_SPREAD))
    left, right = _bar((y[top:bottom].mean(0) < _BLACK_LEVEL) & (y[top:bottom].std(0) < _BLACK_SPREAD))
    margin = 2  # where bar and picture run into each other
    top, left = top + margin * (top > 0), left + margin * (left > 0)
    bottom, right = bottom - margin * (bottom < len(y)), right - margin * (right < y.shape[1])
    return rgb[top:bottom, left:right]


def _bar(black: Flags) -> tuple[int, int]:
    """Where the picture begins and ends, given which lines are black."""
    lit = np.flatnonzero(~black)
    return (int(lit[0]), int(lit[-1]) + 1) if len(lit) else (0, len(black))


def without_subtitles(rgb: RGB) -> RGB:
    """The picture above its subtitles; itself when none are found.

    A line of text is a band of rows, as high as letters are, that many thin bright strokes cross, while the rows just
    above and below have few. Leaves and glitter have no such quiet rows.
    """
    height, width = rgb.shape[:2]
    first = round(height * (1 - _SUBTITLE_SHARE))
    y = luma(rgb[first:])
    stroke = max(5, height // 90 * 2 + 1)
    strokes = cv2.morphologyEx(y, cv2.MORPH_TOPHAT, np.ones((stroke, stroke), np.uint8)) > _STROKE_LEVEL
    middle = strokes[:, width // 12 : width - width // 12]
    crossings = (middle[:, 1:] & ~middle[:, :-1]).sum(1)
    for top, bottom in _runs(crossings >= _LETTERS):
        if not 0.012 <= (bottom - top) / height <= 0.12:
            continue
        quiet = round(0.012 * height)
        above, below = crossings[max(0, top - 2 * quiet) : top - quiet], crossings[bottom + quiet : bottom + 2 * quiet]
        if top >= 2 * quiet and max(_mean(above), _mean(below)) < 0.25 * crossings[top:bottom].mean():
            return rgb[: first + top - quiet]
    return rgb


def _runs(flags: Flags) -> list[tuple[int, int]]:
    """Begin and end of each run of True; gaps of up to 2 rows are part of a run."""
    joined = flags.copy()
    for gap in (1, 2):
        joined[gap:-gap] |= flags[: -2 * gap] & flags[2 * gap :]
    edges = np.flatnonzero(np.diff(np.concatenate([[0], joined.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _mean(values: NDArray[np.int64]) -> float:
    return float(values.mean()) if values.size else 0.0


def fingerprint(rgb: RGB) -> str:
    """What nearly stays the same under scaling, compression, brightness and contrast: 256 bytes, in hexadecimal.

    A 16x16 thumbnail of the brightness, brought to mean 128 and standard deviation 40. (Hashes of signs of differences
    do not work here: in drawings many neighbours are equal.)
    """
    small = thumb(rgb, 16, 16)
    even = (small - small.mean()) * (40 / max(float(small.std()), 1.0)) + 128
    print_hex: str = np.clip(even, 0, 255).astype(np.uint8).tobytes().hex()
    return print_hex


class SeenPictures:
    """The fingerprints of the pictures kept so far."""

    def __init__(self) -> None:
        self._prints: list[NDArray[np.int16]] = []

    def add(self, print_hex: str) -> None:
        self._prints.append(_read_print(print_hex))

    def has_near(self, print_hex: str) -> bool:
        """Whether one of them differs by less than DUPLICATE_LEVELS on average."""
        if not self._prints:
            return False
        differences = np.abs(np.stack(self._prints) - _read_print(print_hex)).mean(1)
        return bool(differences.min() < DUPLICATE_LEVELS)


def _read_print(print_hex: str) -> NDArray[np.int16]:
    return np.frombuffer(bytes.fromhex(print_hex), np.uint8).astype(np.int16)


def crops_of(rgb: RGB, size: int, most: int) -> list[RGB]:
    """Up to `most` square crops of side size that do not overlap, those with the most drawn in them, best first.

    Flat, dark and blurred ones are left out. A larger picture is first shrunk until its shorter side is 3 crops.
    """
    shrink = min(rgb.shape[:2]) / (3 * size)
    if shrink > 1:
        rgb = cv2.resize(rgb, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA).astype(np.uint8)
    height, width = rgb.shape[:2]
    rows, cols = height // size, width // size
    tops = [(height - rows * size) // 2 + i * size for i in range(rows)]
    lefts = [(width - cols * size) // 2 + i * size for i in range(cols)]
    scored = []
    for top in tops:
        for left in lefts:
            crop = rgb[top : top + size, left : left + size]
            y = luma(crop)
            drawn = float(np.hypot(cv2.Sobel(y, cv2.CV_32F, 1, 0), cv2.Sobel(y, cv2.CV_32F, 0, 1)).mean() / 8)
            if drawn >= FLAT_GRADIENT and why_not(crop) is None:
                scored.append((drawn, crop))
    return [crop for _, crop in sorted(scored, key=lambda pair: -pair[0])[:most]]


def edge_smoothed(rgb: RGB) -> RGB:
    """The picture with its edges blurred and all else untouched: what a discriminator learns to call not anime.

    Canny with 100 and 200, edges grown by a 5x5 square, a 5x5 Gaussian there: AnimeGANv2's edge_smooth.py, after Chen
    et al. 2018 (CartoonGAN), section 3.
    """
    edges = cv2.Canny(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), 100, 200)
    grown = cv2.dilate(edges, np.ones((5, 5), np.uint8)) > 0
    return np.where(grown[..., None], cv2.GaussianBlur(rgb, (5, 5), 0), rgb).astype(np.uint8)
