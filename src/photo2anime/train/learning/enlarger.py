"""Trains the network that enlarges drawings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from photo2anime.train.data.dataset import as_tensor, pictures_in, read_rgb
from photo2anime.train.networks.enlarger import Enlarger
from photo2anime.types import RGB

_CROP_PX, _BATCH = 96, 8
_FILTERS = (Image.Resampling.LANCZOS, Image.Resampling.BICUBIC, Image.Resampling.BOX)  # what shrinks pictures to learn


def train_enlarger(drawings: Path, steps: int, seed: int = 1) -> Enlarger:
    """The network trained on a folder of drawings: each crop is shrunk by two and asked back, L1 on pixels and on
    their gradients, Adam, a cosine from 2e-3.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    pictures = [read_rgb(file) for file in pictures_in(drawings).values()]
    network = Enlarger()
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        crops = [_crop(pictures[rng.integers(len(pictures))], rng) for _ in range(_BATCH)]
        off = network(as_tensor([small for small, _ in crops])) - as_tensor([crop for _, crop in crops])
        loss = off.abs().mean() + off.diff(dim=2).abs().mean() + off.diff(dim=3).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.eval()


def _crop(picture: RGB, rng: np.random.Generator) -> tuple[RGB, RGB]:
    """A square of the picture at half its size, and itself."""
    height, width = picture.shape[:2]
    top, left = (int(rng.integers(max(1, side - _CROP_PX + 1))) for side in (height, width))
    crop = Image.fromarray(picture[top : top + _CROP_PX, left : left + _CROP_PX]).resize((_CROP_PX, _CROP_PX))
    small = crop.resize((_CROP_PX // 2, _CROP_PX // 2), _FILTERS[rng.integers(len(_FILTERS))])
    return np.asarray(small), np.asarray(crop)
