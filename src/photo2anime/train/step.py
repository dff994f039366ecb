"""One training step: what is asked of the generator and of the discriminator, every term named once."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from photo2anime.train import losses
from photo2anime.train.config import LossWeights
from photo2anime.train.data import Batch
from photo2anime.train.features import Features

Terms = dict[str, Tensor]


def generator_terms(
    batch: Batch,
    fake: Tensor,
    fake_even: Tensor,
    features: Features,
    discriminator: nn.Module | None,
    w: LossWeights,
) -> Terms:
    """Everything the generator is asked for, weighted.

    Without a discriminator (warm-up) only what keeps it near its photo or its picture: AnimeGANv2's warm-up is the
    content term alone.
    """
    warmup = discriminator is None
    of_fake = features(fake)
    terms = {"grid": w.grid * losses.grid(fake_even)}
    paired = 0
    if batch.target is not None:
        paired = len(batch.target)
        with torch.no_grad():
            of_target = features(batch.target)
        terms |= {
            "pixel": w.pixel * losses.pixel(fake[:paired], batch.target),
            "gradient": w.gradient * losses.gradient(fake[:paired], batch.target),
            "line": w.line * losses.line(fake[:paired], batch.target),
            "perceptual": w.perceptual * losses.perceptual([f[:paired] for f in of_fake], of_target),
        }
    if batch.anime is not None:
        photo, free = batch.photo[paired:], fake[paired:]
        with torch.no_grad():
            of_photo, of_gray = features(photo)[-1], features(losses.gray(batch.anime))[-1]
        terms["content"] = w.content * losses.content(of_fake[-1][paired:], of_photo)
        if not warmup:
            terms |= {
                "style": w.style * losses.style(of_fake[-1][paired:], of_gray),
                "color": w.color * losses.color(free, photo),
                "variation": w.variation * losses.variation(free),
            }
    if discriminator is not None:
        terms["adversarial"] = w.adversarial * losses.lsgan(discriminator(fake.clamp(-1, 1), batch.photo), target=1.0)
    return terms


def discriminator_terms(batch: Batch, fake: Tensor, discriminator: nn.Module, w: LossWeights) -> Terms:
    """What the discriminator is asked for: 1 on the style's own pictures; 0 on the generator's, and, so that colour and
    sharp edges count, on the style's pictures without either (AnimeGANv2, tools/ops.py).
    """
    pictures = torch.cat([picture for picture in (batch.target, batch.anime) if picture is not None])
    terms = {
        "d_anime": w.d_anime * losses.lsgan(discriminator(pictures, batch.photo), target=1.0),
        "d_fake": w.d_fake * losses.lsgan(discriminator(fake.detach().clamp(-1, 1), batch.photo), target=0.0),
    }
    if w.d_gray:
        terms["d_gray"] = w.d_gray * losses.lsgan(discriminator(losses.gray(pictures)), target=0.0)
    if w.d_smooth and batch.smooth is not None:
        terms["d_smooth"] = w.d_smooth * losses.lsgan(discriminator(losses.gray(batch.smooth)), target=0.0)
    return terms


def update(optimizer: torch.optim.Optimizer, terms: Terms, clip_gradient: float) -> None:
    """One optimiser step down the sum of the terms, the gradient's norm clipped (0: not)."""
    optimizer.zero_grad(set_to_none=True)
    torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
    if clip_gradient:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(parameters, clip_gradient)
    optimizer.step()
