"""What the generator and the discriminator are asked for: functions of tensors, without weights or state."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def pixel(fake: Tensor, anime: Tensor) -> Tensor:
    """Mean absolute difference. Two (N, 3, H, W) -> scalar."""
    return F.l1_loss(fake, anime)


def gradient(fake: Tensor, anime: Tensor) -> Tensor:
    """Mean absolute difference of the steps between neighbouring pixels, both ways. Two (N, 3, H, W) -> scalar."""
    difference = fake - anime
    down = difference[..., 1:, :] - difference[..., :-1, :]
    right = difference[..., :, 1:] - difference[..., :, :-1]
    return down.abs().mean() + right.abs().mean()


def line(fake: Tensor, anime: Tensor) -> Tensor:
    """How far the strength of lines is off, wherever exactly they lie. Two (N, 3, H, W) -> scalar.

    Gradient magnitudes of the brightness are averaged over 8x8 pixels before they are compared, so that a line one
    pixel off costs nothing and a blurred one does. The idea is the gradient variance loss of Abrahamyan et al. 2022
    ("Gradient Variance Loss for Structure-Enhanced Image Super-Resolution"), with magnitudes in place of variances.
    """
    return F.l1_loss(F.avg_pool2d(gradient_magnitude(fake), 8), F.avg_pool2d(gradient_magnitude(anime), 8))


def grid(fake: Tensor) -> Tensor:
    """How strongly results of even colour repeat a pattern every 8 pixels, as pixel shuffle can. (N, C, H, W) -> ().

    The 8x8 squares of the middle half are averaged; what is left around their mean is the pattern.
    """
    n, c, h, w = fake.shape
    top, left = h // 32 * 8, w // 32 * 8
    middle = fake[..., top : h - top, left : w - left]
    rows, cols = middle.shape[2] // 8, middle.shape[3] // 8
    pattern = middle[..., : rows * 8, : cols * 8].reshape(n, c, rows, 8, cols, 8).mean((2, 4))
    return (pattern - pattern.mean((2, 3), keepdim=True)).abs().mean()


def gradient_magnitude(x: Tensor) -> Tensor:
    """Length of the gradient of the brightness (BT.601). (N, 3, H, W) -> (N, 1, H-1, W-1), in units of x."""
    weights = x.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    y = (x * weights).sum(1, keepdim=True)
    down = y[..., 1:, :-1] - y[..., :-1, :-1]
    right = y[..., :-1, 1:] - y[..., :-1, :-1]
    return torch.sqrt(down.square() + right.square() + 1e-6)  # the constant keeps the slope finite in flat areas


def perceptual(fake: list[Tensor], anime: list[Tensor]) -> Tensor:
    """Mean over layers of the absolute feature difference relative to the layer's own size. -> scalar.

    After Johnson et al. 2016 ("Perceptual Losses for Real-Time Style Transfer", equation 2), absolute in place of
    squared, and each layer divided by the mean of anime's features, so that none outweighs the others.
    """
    terms = [F.l1_loss(f, a) / a.abs().mean() for f, a in zip(fake, anime, strict=True)]
    return torch.stack(terms).mean()


def lsgan(logits: Tensor, target: float) -> Tensor:
    """Squared distance of the logits from target: 1 is painted, 0 is not. Mao et al. 2017, equation 2. -> scalar."""
    return (logits - target).square().mean()
