"""The patch discriminators: does this neighbourhood look painted? Ours, and the published one."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


class Discriminator(nn.Module):
    """Logits of patches of 30 pixels, at each of several sizes. (N, 3, H, W) in [-1, 1] -> one (N, M).

    A PatchGAN (Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial Networks", section 3.2.2)
    with spectral norm on every layer (Miyato et al. 2018), as in AnimeGANv2, but a tenth of its cost. conditional: it
    sees the photo too, so that ink counts where it belongs. scales: further ones look at the picture shrunk by two, as
    in Wang et al. 2018 (pix2pixHD), section 3.2.
    """

    def __init__(self, width: int = 32, *, conditional: bool = False, scales: int = 1) -> None:
        super().__init__()
        self.conditional = conditional
        channels = 6 if conditional else 3
        first, *smaller = (_patches(channels, width) for _ in range(scales))
        self.layers = first
        self.smaller = nn.ModuleList(smaller)

    def forward(self, x: Tensor, photo: Tensor | None = None) -> Tensor:
        seen = torch.cat([x, photo], dim=1) if self.conditional and photo is not None else x
        logits = []
        for layers in (self.layers, *self.smaller):
            out = seen
            for layer in layers[:-1]:
                out = F.leaky_relu(layer(out), 0.2)
            logits.append(layers[-1](out).flatten(1))
            seen = F.avg_pool2d(seen, 2)
        return torch.cat(logits, dim=1)


def _patches(channels: int, w: int) -> nn.ModuleList:
    return nn.ModuleList(
        spectral_norm(layer)
        for layer in (
            nn.Conv2d(channels, w, 4, stride=2, padding=1),  # (N,  w, H/2, W/2)
            nn.Conv2d(w, 2 * w, 4, stride=2, padding=1),  # (N, 2w, H/4, W/4)
            nn.Conv2d(2 * w, 2 * w, 3, padding=1),
            nn.Conv2d(2 * w, 1, 3, padding=1),
        )
    )


class AnimeGANv2Discriminator(nn.Module):
    """The published one, 1,128,800 parameters; it sees no photo. (N, 3, H, W) in [-1, 1] -> (N, 1, H/4, W/4).

    TachibanaYoshino/AnimeGANv2, net/discriminator.py: spectral norm on all, weights drawn with deviation 0.02.
    """

    def __init__(self) -> None:
        super().__init__()
        shapes = ((3, 32, 1), (32, 64, 2), (64, 128, 1), (128, 128, 2), (128, 256, 1), (256, 256, 1), (256, 1, 1))
        normed = (2, 4, 5)
        self.layers, self.norms = nn.ModuleList(), nn.ModuleList()
        for index, (channels, out, stride) in enumerate(shapes):
            layer = nn.Conv2d(channels, out, 3, stride, padding=1, bias=False)
            nn.init.normal_(layer.weight, std=0.02)
            self.layers.append(spectral_norm(layer))
            self.norms.append(nn.GroupNorm(1, out) if index in normed else nn.Identity())

    def forward(self, x: Tensor, photo: Tensor | None = None) -> Tensor:
        *hidden, last = self.layers
        for layer, norm in zip(hidden, self.norms, strict=False):
            x = F.leaky_relu(norm(layer(x)), 0.2)
        logits: Tensor = last(x)
        return logits
