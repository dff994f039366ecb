"""`photo2anime train`: AnimeGANv2's training on photos and pictures of a style that show other things."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch

from photo2anime.train import distributed
from photo2anime.train.config import TrainConfig
from photo2anime.train.data.dataset import PairedPhotos, Sources, UnpairedPictures, batches
from photo2anime.train.learning.checkpoint import TrainState, new_state
from photo2anime.train.learning.loop import train_loop
from photo2anime.train.learning.run import Watch, train_run
from photo2anime.train.networks.features import Features, load_features
from photo2anime.types import Photo2AnimeError

_TIMED_STEPS = 3


def train(
    photos: Path,
    anime: Path,
    run: Path,
    cfg: TrainConfig,
    *,
    pairs: tuple[Path, Path] | None = None,
    start_from: str | None = None,
    watch: Watch | None = None,
) -> TrainState:
    """The trained state; the same call again goes on where the last one stopped, exactly.

    photos, anime: folders of pictures; anime best one that `photo2anime prepare` wrote. pairs: (photos, targets) to be
    mixed in, half of each batch. The rest is train_run's.
    """
    sources, cfg = open_sources(photos, anime, cfg, pairs)
    return train_run(run, sources, load_features(cfg.features), cfg, start_from, watch or Watch())


def open_sources(
    photos: Path, anime: Path, cfg: TrainConfig, pairs: tuple[Path, Path] | None
) -> tuple[Sources, TrainConfig]:
    """The pictures of a run, and its configuration without the smooth term where there are no smooth pictures."""
    unpaired = UnpairedPictures(photos, anime)
    if unpaired.smooth is None:
        cfg = replace(cfg, weights=replace(cfg.weights, d_smooth=0.0))
    if pairs is not None and cfg.batch_size < 2:
        raise Photo2AnimeError("pairs and other pictures need a --batch-size of 2 or more; half of it is for each")
    return Sources(PairedPhotos(*pairs, cfg.held_out) if pairs else None, unpaired), cfg


def dry_run(sources: Sources, cfg: TrainConfig, features: Features | None = None) -> str:
    """What a run would be, in Markdown: networks, parameters, steps, and a few steps' measured time and memory."""
    features = features or load_features(cfg.features)
    with distributed.joined_processes() as device:
        state = new_state(cfg, device)
        state.step = cfg.warmup_steps + cfg.adversarial_rise_steps  # where every term is asked for
        steps = train_loop(state, batches(sources, cfg), features, replace(cfg, total_steps=sys.maxsize), device)
        next(steps)
        started = time.perf_counter()
        for _ in range(_TIMED_STEPS):
            terms = next(steps)
        seconds = (time.perf_counter() - started) / _TIMED_STEPS
    if device.type == "cuda":
        memory = torch.cuda.max_memory_allocated() / 2**30
    else:
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)
    lines = [
        f"style {cfg.style}: {cfg.total_steps} steps of {cfg.batch_size} crops of {cfg.crop_px} px, on {device}",
        f"generator {cfg.generator}: {_parameters(state.generator):,} parameters, {cfg.optimizer} {cfg.lr_generator:g}",
        f"discriminator: {_parameters(state.discriminator):,} parameters, adam {cfg.lr_discriminator:g}",
        f"features: {cfg.features}",
        f"terms: {', '.join(terms)}",
        f"measured: {seconds:.2f} s a step, {memory:.1f} GiB; {seconds * cfg.total_steps / 3600:.1f} hours in all",
    ]
    return "\n".join(lines)


def _parameters(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())
