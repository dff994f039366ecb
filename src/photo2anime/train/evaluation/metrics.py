"""Metrics of one painted photo, with a reference and without, and of sets of pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from photo2anime.inference.pixels import luma
from photo2anime.train.data.dataset import as_tensor
from photo2anime.train.learning.losses import perceptual
from photo2anime.types import RGB

_FEATURE_PX = 512  # features are taken of the middle of a picture, at most so large
_FLAT_LEVELS = 2.0
_BLOCK_PX = 4
_CHROMA = np.array([[-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)  # Cb, Cr of BT.601


TapsOf: TypeAlias = Callable[[RGB], list[Tensor]]


@dataclass(frozen=True, slots=True)
class ReferenceMetrics:
    """One pair, or the mean of several, against the reference.

    psnr_db, photo_psnr_db: of the result and of the photo itself. perceptual: feature distance of the result over the
    photo's own. line_strength, photo_line_strength: mean gradient magnitude over the reference's.
    """

    psnr_db: float
    photo_psnr_db: float
    perceptual: float
    line_strength: float
    photo_line_strength: float
    milliseconds: float

    @property
    def gain_db(self) -> float:
        """How much closer than the photo the result is."""
        return self.psnr_db - self.photo_psnr_db


@dataclass(frozen=True, slots=True)
class PictureMetrics:
    """How a result looks beside its photo, or the mean of several; no reference is needed.

    content: feature distance to the photo, 0 for the photo. edges_kept: how far edges stand where the photo's do, 1 for
    the photo. flatness: share of pixels whose brightness gradient is under 2 levels. lines: how much darker than their
    5x5 neighbourhood thin dark places are, in levels on average. brightness: mean brightness less the photo's, in
    levels. color: mean distance of Cb and Cr from the photo's, in levels.
    """

    content: float
    edges_kept: float
    flatness: float
    lines: float
    brightness: float
    color: float


def measure(photo: RGB, fake: RGB, anime: RGB, taps_of: TapsOf, milliseconds: float = 0.0) -> ReferenceMetrics:
    """The figures of one result: photo, result and reference, each (H, W, 3) uint8."""
    of_photo, of_fake, of_anime = (taps_of(picture) for picture in (photo, fake, anime))
    return ReferenceMetrics(
        psnr_db=psnr(fake, anime),
        photo_psnr_db=psnr(photo, anime),
        perceptual=float(perceptual(of_fake, of_anime) / perceptual(of_photo, of_anime)),
        line_strength=gradient_level(fake) / gradient_level(anime),
        photo_line_strength=gradient_level(photo) / gradient_level(anime),
        milliseconds=milliseconds,
    )


def picture_metrics(photo: RGB, fake: RGB, taps_of: TapsOf) -> PictureMetrics:
    """How a result looks beside its photo, both (H, W, 3) uint8."""
    chroma = (fake.astype(np.float32) - photo) @ _CHROMA.T
    return PictureMetrics(
        content=float(perceptual(taps_of(fake), taps_of(photo))),
        edges_kept=_correlation(_edges(photo), _edges(fake)),
        flatness=flatness(fake),
        lines=dark_lines(fake),
        brightness=float(luma(fake).mean() - luma(photo).mean()),
        color=float(np.hypot(chroma[..., 0], chroma[..., 1]).mean()),
    )


def psnr(a: RGB, b: RGB) -> float:
    """Peak signal to noise ratio in dB; infinite for equal pictures."""
    error = np.mean((a.astype(np.float32) - b.astype(np.float32)) ** 2)
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def gradient_lengths(picture: RGB) -> NDArray[np.float32]:
    """Length of the brightness gradient between neighbouring pixels, in grey levels: (H - 1, W - 1)."""
    y = luma(picture)
    down, right = y[1:, :-1] - y[:-1, :-1], y[:-1, 1:] - y[:-1, :-1]
    lengths: NDArray[np.float32] = np.hypot(down, right)
    return lengths


def gradient_level(picture: RGB) -> float:
    """The mean of gradient_lengths."""
    return float(gradient_lengths(picture).mean())


def flatness(picture: RGB) -> float:
    """Share of pixels whose brightness gradient is under 2 levels."""
    return float((gradient_lengths(picture) < _FLAT_LEVELS).mean())


def dark_lines(picture: RGB) -> float:
    """Mean black top-hat of the brightness: its closing by a 5x5 square less itself, in levels.

    High where thin dark lines are drawn; broad shadows and soft texture count little.
    """
    y = torch.from_numpy(luma(picture))[None, None]
    grown = F.max_pool2d(y, 5, 1, 2)
    closed = -F.max_pool2d(-grown, 5, 1, 2)
    return float((closed - y).mean())


def middle_taps(features: nn.Module) -> TapsOf:
    """A function that gives the network's features of a picture's middle, and works out each picture's only once."""
    known: dict[int, tuple[RGB, list[Tensor]]] = {}  # the picture too, so that its id stays its own

    def taps_of(picture: RGB) -> list[Tensor]:
        if id(picture) not in known:
            with torch.no_grad():
                known[id(picture)] = picture, features(as_tensor((middle(picture, _FEATURE_PX),)))
        return known[id(picture)][1]

    return taps_of


def middle(picture: RGB, side: int, fill: bool = False) -> RGB:
    """The middle of a picture, at most side pixels high and wide; with fill exactly so, black around smaller ones."""
    height, width = picture.shape[:2]
    top, left = max(0, height - side) // 2, max(0, width - side) // 2
    crop = picture[top : top + side, left : left + side]
    if fill and crop.shape[:2] != (side, side):
        crop = np.pad(crop, ((0, side - crop.shape[0]), (0, side - crop.shape[1]), (0, 0)))
    return np.ascontiguousarray(crop)


def _edges(picture: RGB) -> NDArray[np.float32]:
    """Gradient lengths averaged over 4x4 blocks: where edges are, to a few pixels."""
    lengths = gradient_lengths(picture)
    rows, cols = (max(1, side // _BLOCK_PX) for side in lengths.shape)
    blocks = lengths[: rows * _BLOCK_PX, : cols * _BLOCK_PX]
    means: NDArray[np.float32] = blocks.reshape(rows, -1, cols, blocks.shape[1] // cols).mean((1, 3))
    return means


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Pearson's correlation; 0 when one of them is the same everywhere."""
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / scale if scale else 0.0
