"""The patch discriminator: does this neighbourhood look painted?"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


class Discriminator(nn.Module):
    """One logit for each patch of 30 pixels. (N, 3, H, W) in [-1, 1] -> (N, 1, H/4, W/4).

    A PatchGAN (Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial Networks", section 3.2.2)
    with spectral norm on every layer (Miyato et al. 2018), as in AnimeGANv2, but a tenth of its cost.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        w = width
        self.layers = nn.ModuleList(
            spectral_norm(layer)
            for layer in (
                nn.Conv2d(3, w, 4, stride=2, padding=1),  # (N,  w, H/2, W/2)
                nn.Conv2d(w, 2 * w, 4, stride=2, padding=1),  # (N, 2w, H/4, W/4)
                nn.Conv2d(2 * w, 2 * w, 3, padding=1),
                nn.Conv2d(2 * w, 1, 3, padding=1),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        *hidden, last = self.layers
        for layer in hidden:
            x = F.leaky_relu(layer(x), 0.2)
        logits: Tensor = last(x)
        return logits
