"""One training step: the weighted loss terms of the generator and of the discriminator, every term named once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from photo2anime.train.config import LossWeights
from photo2anime.train.data.dataset import Batch
from photo2anime.train.learning import losses
from photo2anime.train.networks.discriminator import FeatureDiscriminator, Seen
from photo2anime.train.networks.features import Features

Terms = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Views:
    """What the terms of a step compare. target, anime: with their features where they are asked for, else without."""

    photo: Seen
    fake: Seen
    target: Seen | None = None
    anime: Seen | None = None


def views_of(batch: Batch, fake: Tensor, features: Features, discriminator: nn.Module | None) -> Views:
    """The batch and the generator's result, each seen through the feature network once."""

    def seen(pixels: Tensor | None, wanted: bool = True) -> Seen | None:
        return None if pixels is None else Seen(pixels, features(pixels) if wanted else [])

    judged_by_features = isinstance(discriminator, FeatureDiscriminator)
    with torch.no_grad():
        photo = seen(batch.photo, judged_by_features or batch.anime is not None)
        target, anime = seen(batch.target), seen(batch.anime, False)
    assert photo is not None
    return Views(photo, Seen(fake, features(fake)), target, anime)


def generator_terms(
    views: Views,
    fake_even: Tensor,
    features: Features,
    discriminator: nn.Module | None,
    w: LossWeights,
    weight: Tensor | None = None,
) -> Terms:
    """Everything the generator is asked for, weighted.

    Without a discriminator (warm-up) only what keeps it near its photo or its picture: AnimeGANv2's warm-up is the
    content term alone. weight: how much each place of the paired crops counts, (P, 1, H, W).
    """
    warmup = discriminator is None
    photo, fake, target = views.photo, views.fake, views.target
    terms = {"grid": w.grid * losses.grid(fake_even)}
    paired = 0
    if target is not None:
        paired = len(target.pixels)
        terms |= {
            "pixel": w.pixel * losses.pixel(fake.pixels[:paired], target.pixels, weight),
            "gradient": w.gradient * losses.gradient(fake.pixels[:paired], target.pixels, weight),
            "line": w.line * losses.line(fake.pixels[:paired], target.pixels),
            "perceptual": w.perceptual
            * losses.perceptual([f[:paired] for f in fake.features], target.features, weight),
        }
    if views.anime is not None:
        of_fake, of_photo = fake.features[-1][paired:], photo.features[-1][paired:]
        terms["content"] = w.content * losses.content(of_fake, of_photo)
        if not warmup:
            with torch.no_grad():
                of_gray = features(losses.gray(views.anime.pixels))[-1]
            terms |= {
                "style": w.style * losses.style(of_fake, of_gray),
                "color": w.color * losses.color(fake.pixels[paired:], photo.pixels[paired:]),
                "variation": w.variation * losses.variation(fake.pixels[paired:]),
            }
    if discriminator is not None:
        terms["adversarial"] = w.adversarial * losses.lsgan(discriminator(fake, photo), target=1.0)
    return terms


def discriminator_terms(batch: Batch, views: Views, discriminator: nn.Module, w: LossWeights) -> Terms:
    """What the discriminator is asked for: 1 on the style's own pictures; 0 on the generator's, and, so that colour and
    sharp edges count, on the style's pictures without either (AnimeGANv2, tools/ops.py).
    """
    own = [seen for seen in (views.target, views.anime) if seen is not None]
    pictures = own[0] if len(own) == 1 else Seen(torch.cat([seen.pixels for seen in own]), [])
    terms = {
        "d_anime": w.d_anime * losses.lsgan(discriminator(pictures, views.photo), target=1.0),
        "d_fake": w.d_fake * losses.lsgan(discriminator(views.fake.detached(), views.photo), target=0.0),
    }
    if w.d_gray:
        terms["d_gray"] = w.d_gray * losses.lsgan(discriminator(Seen(losses.gray(pictures.pixels), [])), target=0.0)
    if w.d_smooth and batch.smooth is not None:
        terms["d_smooth"] = w.d_smooth * losses.lsgan(discriminator(Seen(losses.gray(batch.smooth), [])), target=0.0)
    return terms


def update(optimizer: torch.optim.Optimizer, terms: Terms, clip_gradient: float) -> None:
    """One optimiser step down the sum of the terms, the gradient's norm clipped (0: not)."""
    optimizer.zero_grad(set_to_none=True)
    torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
    if clip_gradient:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(parameters, clip_gradient)
    optimizer.step()
