"""Images a second of a training step: ours beside the published recipe, same machine, same run, batch 4 at 256 pixels.

bench_train.py [--rounds N] [--out docs/benchmarks-train.md]

Ours: the fast generator, our discriminator, MobileNetV2 features, Muon. Published: AnimeGANv2's generator and
discriminator, VGG16 features (VGG19's are on no package index), Adam. Both are asked for all terms of the published
recipe; pictures are noise, since a step costs the same on any.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from photo2anime.train.config import TrainConfig, preset
from photo2anime.train.data.dataset import Batch
from photo2anime.train.learning.checkpoint import new_state
from photo2anime.train.learning.loop import train_loop
from photo2anime.train.learning.step import Terms
from photo2anime.train.networks.features import load_features

BATCH, SIDE_PX = 4, 256
TRAINED_IMAGES = {"fast": 4000 * 6 * (128 / 256) ** 2, "animeganv2": 101 * 554 * 12}  # of 256 pixels, whole presets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks-train.md"))
    args = parser.parse_args()
    loops = {"fast": loop_of("fast"), "animeganv2": loop_of("animeganv2")}
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(args.rounds + 1):  # in turn, so that a busy minute hits both
        for name, loop in loops.items():
            started = time.perf_counter()
            next(loop)
            seconds[name].append(time.perf_counter() - started)
    median = {name: statistics.median(times[1:]) for name, times in seconds.items()}  # the first one warms up
    device = "a GPU" if torch.cuda.is_available() else f"{os.cpu_count()} CPU cores"
    lines = [
        "# Speed of training",
        "",
        f"`scripts/bench_train.py` on {device}: batch {BATCH} at {SIDE_PX} pixels, all terms, median of {args.rounds}.",
        "",
        "| recipe | s a step | images a second | ratio | a whole preset |",
        "|---|---|---|---|---|",
    ]
    for name, label in (("fast", "ours"), ("animeganv2", "AnimeGANv2 as published")):
        hours = TRAINED_IMAGES[name] / BATCH * median[name] / 3600
        ratio = median["animeganv2"] / median[name]
        lines.append(f"| {label} | {median[name]:.2f} | {BATCH / median[name]:.2f} | {ratio:.1f} | {hours:.1f} hours |")
    text = "\n".join(lines) + "\n"
    print(text)
    args.out.write_text(text, encoding="utf-8")


def loop_of(generator: str) -> Iterator[Terms]:
    """The training loop of one recipe, past its warm-up, on noise."""
    cfg: TrainConfig = preset("bench", "hayao", "fast" if generator == "fast" else "animeganv2")
    cfg = replace(cfg, crop_px=SIDE_PX, batch_size=BATCH)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    state = new_state(cfg, device)
    state.step = cfg.warmup_steps
    return train_loop(state, noise(), load_features(cfg.features).to(device), cfg, device)


def noise() -> Iterator[Batch]:
    pictures = torch.rand(3, BATCH, 3, SIDE_PX, SIDE_PX) * 2 - 1
    even = torch.zeros(3, 3, 64, 64)
    while True:
        yield Batch(pictures[0], pictures[0].mean((2, 3)), even, anime=pictures[1], smooth=pictures[2])


if __name__ == "__main__":
    main()
