"""A small network that lays a drawing out at twice its size, its lines as crisp as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from photo2anime.train.data import as_tensor, pictures_in, read_rgb
from photo2anime.train.export import OPSET, drop_traces
from photo2anime.types import RGB

_WIDTH = 24
_CROP_PX, _BATCH = 96, 8
_FILTERS = (Image.Resampling.LANCZOS, Image.Resampling.BICUBIC, Image.Resampling.BOX)  # what shrinks pictures to learn


class Enlarger(nn.Module):
    """Drawing -> twice as large. (N, 3, H, W) in [-1, 1] -> (N, 3, 2H, 2W), not clipped.

    Three 3x3 convolutions and a pixel shuffle (Shi et al. 2016, "Real-Time Single Image and Video Super-Resolution
    Using an Efficient Sub-Pixel Convolutional Neural Network"), added to the bilinear enlargement. 8 kMAC a pixel.
    """

    def __init__(self) -> None:
        super().__init__()
        last = nn.Conv2d(_WIDTH, 12, 3, padding=1)
        nn.init.zeros_(last.weight)
        self.layers = nn.Sequential(
            nn.Conv2d(3, _WIDTH, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1),
            nn.ReLU(),
            last,
            nn.PixelShuffle(2),
        )

    def forward(self, x: Tensor) -> Tensor:
        larger: Tensor = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False) + self.layers(x)
        return larger


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


def write_enlarger(network: Enlarger, file: Path) -> None:
    """The network as ONNX: input `drawing`, output `larger`, any size."""
    rows, cols = (torch.export.Dim(name, min=2, max=16384) for name in ("rows", "cols"))
    torch.onnx.export(
        network,
        (torch.zeros(1, 3, 32, 48),),
        str(file),
        input_names=["drawing"],
        output_names=["larger"],
        opset_version=OPSET,
        dynamo=True,
        external_data=False,
        verbose=False,
        dynamic_shapes={"x": {2: rows, 3: cols}},
    )
    drop_traces(file)
