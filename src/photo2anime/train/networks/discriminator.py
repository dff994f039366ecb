"""The discriminators, which score each neighbourhood as painted or not: two of ours, and the published one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


class Seen(NamedTuple):
    """Pictures as terms and discriminators look at them: (N, 3, H, W) in [-1, 1], and what a frozen network sees in
    them, a tensor a layer.
    """

    pixels: Tensor
    features: list[Tensor]

    def detached(self) -> Seen:
        return Seen(self.pixels.detach(), [f.detach() for f in self.features])


class Discriminator(nn.Module):
    """Logits of patches of 30 pixels, at each of several sizes -> one (N, M).

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

    def forward(self, picture: Seen, photo: Seen | None = None) -> Tensor:
        seen = picture.pixels.clamp(-1, 1)
        if self.conditional and photo is not None:
            seen = torch.cat([seen, photo.pixels], dim=1)
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


class FeatureDiscriminator(nn.Module):
    """Logits of places of the layers of a frozen feature network -> one (N, M).

    A small head on each layer, as in Sauer et al. 2021 ("Projected GANs Converge Faster"), section 3, without the
    random projections: each place's features are scaled to length 1 and those of the photo, likewise, stand beside
    them. What the perceptual term computes is used again, so that it costs little more than the heads; and it is not
    blind to ink, as one on pixels is after some thousands of crops (docs/log.md). channels: of the layers.
    """

    def __init__(self, channels: Sequence[int], width: int = 48) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(
                spectral_norm(nn.Conv2d(2 * c, width, 1)),
                nn.LeakyReLU(0.2),
                spectral_norm(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)),
                nn.LeakyReLU(0.2),
                nn.Conv2d(2 * width, 1, 3, padding=1),
            )
            for c in channels
        )

    def forward(self, picture: Seen, photo: Seen) -> Tensor:
        layers = zip(self.heads, picture.features, photo.features, strict=True)
        return torch.cat([head(torch.cat([_scaled(f), _scaled(p)], dim=1)).flatten(1) for head, f, p in layers], dim=1)


def _scaled(features: Tensor) -> Tensor:
    """Each place to a mean square of 1."""
    scaled: Tensor = F.normalize(features, dim=1) * features.shape[1] ** 0.5
    return scaled


class AnimeGANv2Discriminator(nn.Module):
    """The published one, 1,128,800 parameters; it sees no photo -> (N, 1, H/4, W/4).

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

    def forward(self, picture: Seen, photo: Seen | None = None) -> Tensor:
        x = picture.pixels.clamp(-1, 1)
        *hidden, last = self.layers
        for layer, norm in zip(hidden, self.norms, strict=False):
            x = F.leaky_relu(norm(layer(x)), 0.2)
        logits: Tensor = last(x)
        return logits
