"""The state of a run, saved whole or not at all, so that training goes on exactly where it stopped."""

from __future__ import annotations

import copy
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from photo2anime.train.config import DistillConfig
from photo2anime.train.discriminator import Discriminator
from photo2anime.train.generator import Generator
from photo2anime.train.optimizer import Muon
from photo2anime.types import Photo2AnimeError


@dataclass(slots=True)
class TrainState:
    """Everything that changes while training. step: how many are done. ema: the weights that are exported."""

    generator: Generator
    ema: Generator
    discriminator: Discriminator
    generator_optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer
    step: int = 0

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


def new_state(cfg: DistillConfig, device: torch.device) -> TrainState:
    """Untrained networks and fresh optimisers, drawn from the seed."""
    torch.manual_seed(cfg.seed)
    generator = Generator(cfg.width, cfg.hidden, cfg.low_width, cfg.low_blocks, cfg.deep_width, cfg.deep_blocks).to(
        device
    )
    discriminator = Discriminator().to(device)
    return TrainState(
        generator=generator,
        ema=copy.deepcopy(generator).eval().requires_grad_(False),
        discriminator=discriminator,
        generator_optimizer=Muon(generator.parameters(), cfg.lr_generator),
        discriminator_optimizer=torch.optim.AdamW(
            discriminator.parameters(), cfg.lr_discriminator, (0.5, 0.99), weight_decay=0
        ),
    )


def save_checkpoint(file: Path, state: TrainState) -> None:
    """Writes file through a temporary one, so that a stopped save leaves the old file."""
    temporary = file.with_suffix(".tmp")
    saved = {name: module.state_dict() for name, module in state.modules.items()}
    torch.save({"step": state.step, **saved}, temporary)
    os.replace(temporary, file)


def load_checkpoint(file: Path, state: TrainState) -> None:
    """Puts state where file was saved. Raises Photo2AnimeError when file is of another network or damaged."""
    try:
        saved = torch.load(file, map_location="cpu", weights_only=True)
        for name, module in state.modules.items():
            module.load_state_dict(saved[name])
        state.step = saved["step"]
    except (RuntimeError, KeyError, ValueError, EOFError, OSError) as error:
        raise Photo2AnimeError(f"{file} is not a checkpoint of this run ({error}); use another --run folder") from error
