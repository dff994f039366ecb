"""The published AnimeGANv2 generator, layer for layer, to measure against and to load its checkpoints.

Source: TachibanaYoshino/AnimeGANv2, net/generator.py (2020); 2,143,552 parameters. Every normalisation is over the
whole picture (layer norm over height, width and channels): a tile comes out in other colours than the whole.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class _Block(nn.Sequential):
    """Convolution without bias on mirrored borders, layer norm, leaky ReLU: the unit everything is made of."""

    def __init__(
        self, channels: int, out: int, kernel: int = 3, stride: int = 1, groups: int = 1, bias: bool = False
    ) -> None:
        reach = (kernel - 1) // 2
        before, after = (0, 1) if stride == 2 else (reach, reach)  # stride 2 pads at the bottom and right only
        super().__init__(
            nn.ReflectionPad2d((before, after, before, after)),
            nn.Conv2d(channels, out, kernel, stride, groups=groups, bias=bias),
            nn.GroupNorm(1, out),
            nn.LeakyReLU(0.2),
        )


class _InvertedResidual(nn.Module):
    """1x1 wider, 3x3 depthwise, 1x1 back, added where the channels are the same."""

    def __init__(self, channels: int, out: int, expansion: int = 2) -> None:
        super().__init__()
        hidden = channels * expansion
        self.layers = nn.Sequential(
            _Block(channels, hidden, kernel=1),
            _Block(hidden, hidden, groups=hidden, bias=True),
            nn.Conv2d(hidden, out, 1, bias=False),
            nn.GroupNorm(1, out),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x)
        return x + out if x.shape == out.shape else out


class AnimeGANv2Generator(nn.Module):
    """Photo -> anime. (N, 3, H, W) in [-1, 1], H and W multiples of 4; the same shape and range.

    Modules are named as bryandlee/animegan2-pytorch named them (model.py, 2021), so that its state dicts load.
    align_corners: which of its two ways of doubling the size is used; one file gives two pictures. Its network does it
    with aligned corners when nothing is said, its test.py asks for the other. mean_color: as our generator takes it;
    not used, its normalisations see the whole picture themselves.
    """

    multiple_of = 4

    def __init__(self, align_corners: bool = False) -> None:
        super().__init__()
        self.align_corners = align_corners
        self.block_a = nn.Sequential(
            _Block(3, 32, kernel=7),  # (N,  32, H,   W)
            _Block(32, 64, stride=2),  # (N,  64, H/2, W/2)
            _Block(64, 64),
        )
        self.block_b = nn.Sequential(
            _Block(64, 128, stride=2),  # (N, 128, H/4, W/4)
            _Block(128, 128),
        )
        self.block_c = nn.Sequential(
            _Block(128, 128),
            _InvertedResidual(128, 256),
            _InvertedResidual(256, 256),
            _InvertedResidual(256, 256),
            _InvertedResidual(256, 256),
            _Block(256, 128),
        )
        self.block_d = nn.Sequential(_Block(128, 128), _Block(128, 128))
        self.block_e = nn.Sequential(_Block(128, 64), _Block(64, 64), _Block(64, 32, kernel=7))
        self.out_layer = nn.Sequential(nn.Conv2d(32, 3, 1, bias=False), nn.Tanh())

    def forward(self, x: Tensor, mean_color: Tensor | None = None) -> Tensor:
        h = self.block_c(self.block_b(self.block_a(x)))
        h = self.block_d(self._double(h))
        h = self.block_e(self._double(h))
        anime: Tensor = self.out_layer(h)
        return anime

    def _double(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=self.align_corners)
