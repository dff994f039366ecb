"""Endless seeded batches of photo and anime crops, aligned to the pixel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from photo2anime.image_io import READABLE, read_image
from photo2anime.pixels import to_batch
from photo2anime.train.config import DistillConfig
from photo2anime.types import RGB, Photo2AnimeError

_EVEN_SQUARES, _EVEN_PX = 3, 64
_CACHE_BYTES = 3 << 30  # decoded pictures kept in memory; what does not fit is decoded again for each crop


@dataclass(frozen=True, slots=True)
class PairedBatch:
    """Photos and their pictures in the style, same places: two (N, 3, crop, crop) float32 in [-1, 1].

    even: squares of one random colour each, (M, 3, 64, 64); no photo has all of them, and any of them shows a grid.
    """

    photo: Tensor
    anime: Tensor
    even: Tensor


class PairedPhotos:
    """Pictures that stand in two folders under the same name (the extension may differ), as pairs of RGB.

    Raises Photo2AnimeError when there is none, when the sizes of a pair differ, or a name to hold out is unknown.
    """

    def __init__(self, photos: Path, targets: Path, held_out: tuple[str, ...] = ()) -> None:
        photo_files, target_files = pictures_in(photos), pictures_in(targets)
        names = sorted(photo_files.keys() & target_files.keys())
        if not names:
            raise Photo2AnimeError(f"{photos} and {targets} have no picture name in common; pairs share their names")
        if unknown := sorted(set(held_out) - set(names)):
            raise Photo2AnimeError(f"--hold-out {','.join(unknown)}: no such pair in {photos}")
        self.train = [name for name in names if name not in held_out]
        self.held_out = list(held_out)
        if not self.train:
            raise Photo2AnimeError("every pair is held out; leave some to train on")
        self._files = {name: (photo_files[name], target_files[name]) for name in names}
        self._cache: dict[str, tuple[RGB, RGB]] = {}
        self._cached_bytes = 0

    def __getitem__(self, name: str) -> tuple[RGB, RGB]:
        """(photo, anime), same size."""
        if name in self._cache:
            return self._cache[name]
        files = self._files[name]
        photo, anime = (_read(file) for file in files)
        if photo.shape != anime.shape:
            raise Photo2AnimeError(f"{files[0]} and {files[1]} differ in size; pairs must be aligned to the pixel")
        if self._cached_bytes + 2 * photo.nbytes <= _CACHE_BYTES:
            self._cache[name] = (photo, anime)
            self._cached_bytes += 2 * photo.nbytes
        return photo, anime


def pictures_in(folder: Path) -> dict[str, Path]:
    """Every picture file directly in folder, by name without extension."""
    if not folder.is_dir():
        raise Photo2AnimeError(f"{folder} is not a folder")
    return {file.stem: file for file in sorted(folder.iterdir()) if file.suffix.lower() in READABLE}


def paired_batches(pairs: PairedPhotos, cfg: DistillConfig, first_step: int = 0) -> Iterator[PairedBatch]:
    """Batches without end. The batch of a step depends on the seed and the step alone, so a resumed run draws what an
    uninterrupted one would.
    """
    step = first_step
    while True:
        crops = [_crop(pairs, cfg, np.random.default_rng((cfg.seed, step, i))) for i in range(cfg.batch_size)]
        photos, animes = zip(*crops, strict=True)
        yield PairedBatch(as_tensor(photos), as_tensor(animes), _even(np.random.default_rng((cfg.seed, step))))
        step += 1


def as_tensor(pictures: tuple[RGB, ...]) -> Tensor:
    """Pictures of one size as a batch: (H, W, 3) uint8 each -> (N, 3, H, W) float32 in [-1, 1]."""
    return torch.from_numpy(np.concatenate([to_batch(picture) for picture in pictures]))


def _even(rng: np.random.Generator) -> Tensor:
    colors = rng.uniform(-1, 1, (_EVEN_SQUARES, 3, 1, 1)).astype(np.float32)
    return torch.from_numpy(colors).expand(-1, -1, _EVEN_PX, _EVEN_PX).contiguous()


def _read(file: Path) -> RGB:
    try:
        return read_image(file).rgb
    except Photo2AnimeError as error:
        raise Photo2AnimeError(f"{file}: {error}") from error


def _crop(pairs: PairedPhotos, cfg: DistillConfig, rng: np.random.Generator) -> tuple[RGB, RGB]:
    """One crop of a random pair, flipped, scaled and exposed alike on both sides."""
    photo, anime = pairs[pairs.train[rng.integers(len(pairs.train))]]
    scale = _jitter(cfg.scale_jitter, cfg.jitter_share, rng)
    height, width = photo.shape[:2]
    side = min(round(cfg.crop_px / scale), height, width)
    top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
    flip = rng.random() < 0.5
    gain = _jitter(cfg.exposure_jitter, cfg.jitter_share, rng)
    both = []
    for picture in (photo, anime):
        crop = picture[top : top + side, left : left + side]
        if side != cfg.crop_px:
            resized = Image.fromarray(crop).resize((cfg.crop_px, cfg.crop_px), Image.Resampling.BICUBIC)
            crop = np.asarray(resized)
        if gain != 1:
            crop = np.clip(crop * gain + 0.5, 0, 255).astype(np.uint8)
        both.append(crop[:, ::-1] if flip else crop)
    return both[0], both[1]


def _jitter(largest: float, share: float, rng: np.random.Generator) -> float:
    """A factor between 1/largest and largest, log-uniform, in a share of the cases; else 1."""
    factor = float(np.exp(rng.uniform(-1, 1) * np.log(largest)))
    return factor if rng.random() < share else 1.0
