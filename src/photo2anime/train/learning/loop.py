"""The training loop: it trains and yields the terms; the caller logs, samples, saves and stops."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import torch
from torch import nn

from photo2anime.train.config import TrainConfig, in_units_of
from photo2anime.train.data.dataset import Batch
from photo2anime.train.distributed import has_bfloat16, shared
from photo2anime.train.learning.checkpoint import TrainState
from photo2anime.train.learning.step import Terms, discriminator_terms, generator_terms, update, views_of
from photo2anime.train.networks.features import Features


def train_loop(
    state: TrainState, batches: Iterator[Batch], features: Features, cfg: TrainConfig, device: torch.device
) -> Iterator[Terms]:
    """Trains from state.step to cfg.total_steps and yields each step's weighted terms, after the update."""
    generator, trained_discriminator = shared(state.generator), shared(state.discriminator)
    bfloat16 = partial(torch.autocast, device.type, torch.bfloat16)
    quick = cfg.bfloat16 and has_bfloat16(device)
    while state.step < cfg.total_steps:
        batch = next(batches).to(device)
        set_learning_rates(state, cfg)
        fake_even = generator(batch.even)  # its term measures less than bfloat16 can hold
        with bfloat16(enabled=quick):
            fake = generator(batch.photo, batch.mean_color)
        with bfloat16(enabled=quick):
            terms, w = {}, in_units_of(cfg.features, cfg.weights)
            discriminator = state.discriminator if state.step >= cfg.warmup_steps and w.adversarial else None
            views = views_of(batch, fake, features, discriminator)
            if discriminator is not None:
                discriminator.requires_grad_(True)
                terms = discriminator_terms(batch, views, trained_discriminator, w)
                update(state.discriminator_optimizer, terms, cfg.clip_gradient)
                discriminator.requires_grad_(False)
                grown = min(1.0, (state.step - cfg.warmup_steps) / max(1, cfg.adversarial_rise_steps))
                w = replace(w, adversarial=w.adversarial * grown)

            asked = generator_terms(views, fake_even, features, discriminator, w, batch.weight)
        update(state.generator_optimizer, asked, cfg.clip_gradient)
        follow(state.ema, state.generator, state.step, cfg.ema_halflife_steps)
        state.step += 1
        yield asked | terms


def set_learning_rates(state: TrainState, cfg: TrainConfig) -> None:
    """A linear rise over lr_rise_steps, then half a cosine down to a hundredth at total_steps, or no change; all of it
    times state.lr_scale, which a roll-back halves.
    """
    rise = min(1.0, (state.step + 1) / max(1, cfg.lr_rise_steps))
    cosine = 0.505 + 0.495 * math.cos(math.pi * state.step / cfg.total_steps) if cfg.schedule == "cosine" else 1.0
    warmup = cfg.lr_warmup is not None and state.step < cfg.warmup_steps
    lr_generator = cfg.lr_warmup if warmup and cfg.lr_warmup is not None else cfg.lr_generator
    for optimizer, lr in (
        (state.generator_optimizer, lr_generator),
        (state.discriminator_optimizer, cfg.lr_discriminator),
    ):
        for group in optimizer.param_groups:
            group["lr"] = lr * rise * cosine * state.lr_scale


@torch.no_grad()
def follow(ema: nn.Module, trained: nn.Module, step: int, halflife_steps: float) -> None:
    """Moves ema's weights towards trained's: an exponential average, with a shorter memory in the first steps."""
    keep = 0.5 ** (1 / min(halflife_steps, max(1.0, step / 4)))
    for slow, fast in zip(ema.parameters(), trained.parameters(), strict=True):
        slow.lerp_(fast, 1 - keep)
