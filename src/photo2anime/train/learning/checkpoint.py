"""The state of a run, saved atomically, so that training resumes exactly where it stopped."""

from __future__ import annotations

import copy
import io
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from photo2anime.images.temporary import write_whole
from photo2anime.train.config import TrainConfig
from photo2anime.train.learning.optimizer import Muon
from photo2anime.train.networks.animeganv2 import AnimeGANv2Generator
from photo2anime.train.networks.discriminator import AnimeGANv2Discriminator, Discriminator, FeatureDiscriminator
from photo2anime.train.networks.features import CHANNELS
from photo2anime.train.networks.generator import Generator
from photo2anime.types import Photo2AnimeError

AnyGenerator = Generator | AnimeGANv2Generator


@dataclass(slots=True)
class TrainState:
    """Everything that changes while training.

    ema: the weights that are exported. step: how many are done. lr_scale: what roll-backs left of the learning rates.
    """

    generator: AnyGenerator
    ema: AnyGenerator
    discriminator: nn.Module
    generator_optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer
    step: int = 0
    lr_scale: float = 1.0

    @property
    def modules(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        """What is saved, by the name it is saved under."""
        return {
            "generator": self.generator,
            "ema": self.ema,
            "discriminator": self.discriminator,
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
        }


def new_state(cfg: TrainConfig, device: torch.device) -> TrainState:
    """Untrained networks and fresh optimisers, drawn from the seed."""
    torch.manual_seed(cfg.seed)
    generator: AnyGenerator
    discriminator: nn.Module
    if cfg.generator == "animeganv2":
        generator, discriminator = AnimeGANv2Generator().to(device), AnimeGANv2Discriminator().to(device)
    else:
        shape = ("width", "hidden", "low_width", "low_blocks", "deep_width", "deep_blocks", "fine_blocks", "own_colors")
        generator = Generator(**{name: getattr(cfg, name) for name in shape}).to(device)
        discriminator = (
            FeatureDiscriminator(CHANNELS[cfg.features])
            if cfg.discriminator == "features"
            else Discriminator(conditional=cfg.conditional, scales=cfg.scales)
        ).to(device)
    published = cfg.optimizer == "adam"  # betas of AnimeGANv2's main.py; ours forget faster
    parameters = generator.parameters()
    return TrainState(
        generator=generator,
        ema=copy.deepcopy(generator).eval().requires_grad_(False),
        discriminator=discriminator,
        generator_optimizer=torch.optim.Adam(parameters, cfg.lr_generator, (0.5, 0.999))
        if published
        else Muon(parameters, cfg.lr_generator),
        discriminator_optimizer=torch.optim.Adam(
            discriminator.parameters(), cfg.lr_discriminator, (0.5, 0.999 if published else 0.99)
        ),
    )


def save_checkpoint(file: Path, state: TrainState) -> None:
    """Writes file whole or not at all: a stopped save, or one on a full disk, leaves the old file. Raises OSError."""
    content = io.BytesIO()
    saved = {name: module.state_dict() for name, module in state.modules.items()}
    torch.save({"step": state.step, "lr_scale": state.lr_scale, **saved}, content)
    write_whole(file, content.getvalue())


def load_checkpoint(file: Path, state: TrainState) -> None:
    """Restores state from file. Raises Photo2AnimeError when file is of another network or damaged."""
    try:
        saved = torch.load(file, map_location="cpu", weights_only=True)
        for name, module in state.modules.items():
            module.load_state_dict(saved[name])
        state.step, state.lr_scale = saved["step"], saved.get("lr_scale", 1.0)
    except (RuntimeError, KeyError, ValueError, EOFError, OSError) as error:
        raise Photo2AnimeError(f"{file} is not a checkpoint of this run ({error}); use another --run folder") from error
