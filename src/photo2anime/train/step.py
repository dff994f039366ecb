"""One training step: what is asked of the generator and of the discriminator, every term named once."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from photo2anime.train import losses
from photo2anime.train.config import LossWeights
from photo2anime.train.data import PairedBatch
from photo2anime.train.features import Features

Terms = dict[str, Tensor]


def generator_terms(
    batch: PairedBatch,
    fake: Tensor,
    fake_even: Tensor,
    features: Features,
    discriminator: nn.Module | None,
    w: LossWeights,
) -> Terms:
    """Everything the generator is asked for, weighted; without a discriminator (warm-up) no adversarial term."""
    with torch.no_grad():
        anime_features = features(batch.anime)
    terms = {
        "pixel": w.pixel * losses.pixel(fake, batch.anime),
        "gradient": w.gradient * losses.gradient(fake, batch.anime),
        "line": w.line * losses.line(fake, batch.anime),
        "perceptual": w.perceptual * losses.perceptual(features(fake), anime_features),
        "grid": w.grid * losses.grid(fake_even),
    }
    if discriminator is not None:
        terms["adversarial"] = w.adversarial * losses.lsgan(discriminator(fake.clamp(-1, 1)), target=1.0)
    return terms


def discriminator_terms(batch: PairedBatch, fake: Tensor, discriminator: nn.Module) -> Terms:
    """What the discriminator is asked for: 1 on the style's own pictures, 0 on the generator's."""
    return {
        "d_anime": losses.lsgan(discriminator(batch.anime), target=1.0),
        "d_fake": losses.lsgan(discriminator(fake.detach().clamp(-1, 1)), target=0.0),
    }


def update(optimizer: torch.optim.Optimizer, terms: Terms, clip_gradient: float) -> None:
    """One optimiser step down the sum of the terms, the gradient's norm clipped."""
    optimizer.zero_grad(set_to_none=True)
    torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    nn.utils.clip_grad_norm_(parameters, clip_gradient)
    optimizer.step()
