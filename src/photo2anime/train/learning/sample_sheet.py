"""Samples during training: a fixed set of photos, painted, on one sheet."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from photo2anime.images.image_io import read_image
from photo2anime.inference.pixels import mean_color, next_multiple, pad_bottom_right, to_image
from photo2anime.train.data.dataset import Sources, as_tensor
from photo2anime.train.learning.checkpoint import AnyGenerator
from photo2anime.types import RGB

_SAMPLE_PX = 384  # side of the crops on the sheet
_SAMPLES = 6


def sample_sheet(sources: Sources, generator: AnyGenerator) -> RGB:
    """Photo, painting and, for pairs, target of a few pictures side by side, one a row; held-out pairs come first."""
    rows = []
    if sources.pairs is not None:
        for name in (sources.pairs.held_out + sources.pairs.train)[:_SAMPLES]:
            photo, anime = (_centre(picture) for picture in sources.pairs[name])
            rows.append([photo, paint_whole(generator, photo), anime])
    if sources.unpaired is not None:
        width = 3 if rows else 2
        for file in sources.unpaired.photos[:: max(1, len(sources.unpaired.photos) // _SAMPLES)][:_SAMPLES]:
            photo = _centre(read_image(file).rgb)
            rows.append([photo, paint_whole(generator, photo), np.full_like(photo, 255)][:width])
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


@torch.no_grad()
def paint_whole(generator: AnyGenerator, photo: RGB) -> RGB:
    """Photo painted in one piece by a PyTorch generator: (H, W, 3) uint8 -> the same."""
    height, width = photo.shape[:2]
    device = next(generator.parameters()).device
    m = generator.multiple_of
    padded = pad_bottom_right(photo, next_multiple(height, m), next_multiple(width, m))
    mean = torch.from_numpy(mean_color(photo)).to(device)
    return to_image(generator(as_tensor((padded,)).to(device), mean).float().cpu().numpy())[:height, :width]


def _centre(picture: RGB) -> RGB:
    height, width = picture.shape[:2]
    top, left = max(0, height - _SAMPLE_PX) // 2, max(0, width - _SAMPLE_PX) // 2
    crop = picture[top : top + _SAMPLE_PX, left : left + _SAMPLE_PX]
    if crop.shape[:2] != (_SAMPLE_PX, _SAMPLE_PX):
        crop = np.asarray(Image.fromarray(crop).resize((_SAMPLE_PX, _SAMPLE_PX), Image.Resampling.BICUBIC))
    return crop
