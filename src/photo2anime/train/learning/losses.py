"""The losses of generator and discriminator: functions of tensors, without weights or state."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def pixel(fake: Tensor, anime: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean absolute difference. Two (N, 3, H, W) -> scalar. weight: (N, 1, H, W), how much each place counts."""
    return weighted_mean((fake - anime).abs(), weight)


def gradient(fake: Tensor, anime: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean absolute difference of the steps between neighbouring pixels, both ways. Two (N, 3, H, W) -> scalar."""
    difference = fake - anime
    down = difference[..., 1:, :] - difference[..., :-1, :]
    right = difference[..., :, 1:] - difference[..., :, :-1]
    return weighted_mean(down.abs(), weight) + weighted_mean(right.abs(), weight)


def weighted_mean(values: Tensor, weight: Tensor | None) -> Tensor:
    """Mean of values times weight, which is averaged to their size; 1 everywhere for None. (N, C, H, W) -> scalar."""
    if weight is None:
        return values.mean()
    return (values * F.adaptive_avg_pool2d(weight, (values.shape[-2], values.shape[-1]))).mean()


def line(fake: Tensor, anime: Tensor) -> Tensor:
    """Difference in the strength of lines, whatever their exact places. Two (N, 3, H, W) -> scalar.

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


def perceptual(fake: list[Tensor], anime: list[Tensor], weight: Tensor | None = None) -> Tensor:
    """How different pictures look to a pretrained network, from their features, averaged over pictures. -> scalar.

    Zhang et al. 2018 ("The Unreasonable Effectiveness of Deep Features as a Perceptual Metric"), equation 1, without
    its learned channel weights: each place's features scaled to length 1, squared differences averaged over the places
    and summed over the layers. 0 for the same; the scaling makes a flat wall count as much as an edge.
    """
    pairs = zip(fake, anime, strict=True)
    layers = [(F.normalize(f, dim=1) - F.normalize(a, dim=1)).square().sum(1, keepdim=True) for f, a in pairs]
    return torch.stack([weighted_mean(layer, weight) for layer in layers]).sum()


def content(fake: Tensor, photo: Tensor) -> Tensor:
    """Mean absolute difference of the features of a photo and of its painting. Two (N, C, H, W) -> scalar.

    Chen et al. 2020 (AnimeGAN), equation 2.
    """
    return F.l1_loss(fake, photo)


def gram(features: Tensor) -> Tensor:
    """Which channels fire together. (N, C, H, W) -> (N, C, C), averaged over C * H * W."""
    n, c, h, w = features.shape
    flat = features.reshape(n, c, h * w)
    return flat @ flat.mT / (c * h * w)


def style(fake: Tensor, anime_gray: Tensor) -> Tensor:
    """Mean absolute difference of the Gram matrices. Two (N, C, H, W) -> scalar.

    Chen et al. 2020 (AnimeGAN), equation 3: texture is learned from grey pictures, so that no colour comes in.
    """
    return F.l1_loss(gram(fake), gram(anime_gray))


def gray(x: Tensor) -> Tensor:
    """The brightness (BT.601) in three equal channels. (N, 3, H, W) -> the same."""
    weights = x.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    return (x * weights).sum(1, keepdim=True).expand(-1, 3, -1, -1)


def color(fake: Tensor, photo: Tensor) -> Tensor:
    """How far the colours moved: absolute in Y, Huber in U and V, of [0, 1]. Two (N, 3, H, W) in [-1, 1] -> scalar.

    Chen et al. 2020 (AnimeGAN), equation 5; the matrix is tf.image.rgb_to_yuv's, as in tools/ops.py of AnimeGANv2.
    """
    matrix = fake.new_tensor(
        [[0.299, 0.587, 0.114], [-0.14714119, -0.28886916, 0.43601035], [0.61497538, -0.51496512, -0.10001026]]
    )
    ours, theirs = (torch.einsum("yc,nchw->nyhw", matrix, (x + 1) / 2) for x in (fake, photo))
    brightness = F.l1_loss(ours[:, 0], theirs[:, 0])
    return brightness + F.huber_loss(ours[:, 1], theirs[:, 1]) + F.huber_loss(ours[:, 2], theirs[:, 2])


def variation(fake: Tensor) -> Tensor:
    """Half the mean squared step to the next pixel, both ways. (N, 3, H, W) -> scalar. AnimeGANv2, tools/ops.py."""
    down = fake[..., 1:, :] - fake[..., :-1, :]
    right = fake[..., :, 1:] - fake[..., :, :-1]
    return (down.square().mean() + right.square().mean()) / 2


def lsgan(logits: Tensor, target: float) -> Tensor:
    """Squared distance of the logits from target: 1 is painted, 0 is not. Mao et al. 2017, equation 2. -> scalar."""
    return (logits.float() - target).square().mean()
