"""A small network that enlarges a drawing to twice its size and keeps its lines sharp."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

_WIDTH = 24


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
