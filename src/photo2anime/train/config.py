"""Every number a training run depends on, as frozen records; a run's folder holds them as config.json."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class LossWeights:
    """How much each term of the generator's loss counts; the names are those in stats.jsonl."""

    pixel: float = 1.0
    gradient: float = 0.5
    line: float = 2.0
    perceptual: float = 0.6
    adversarial: float = 0.05
    grid: float = 5.0


@dataclass(frozen=True, slots=True)
class DistillConfig:
    """Paired training of the fast generator.

    total_steps: where the cosine schedule ends. warmup_steps: the generator alone, no discriminator; over
    adversarial_rise_steps more the adversarial term grows to its weight. scale_jitter, exposure_jitter: largest factor,
    drawn log-uniformly in either direction, 1 for none; each crop is jittered with probability jitter_share. held_out:
    names of pictures (without extension) never trained on.
    """

    style: str
    width: int = 48
    hidden: int = 64
    low_width: int = 64
    low_blocks: int = 3
    deep_width: int = 88
    deep_blocks: int = 0
    crop_px: int = 128
    batch_size: int = 6
    total_steps: int = 3000
    warmup_steps: int = 1500
    adversarial_rise_steps: int = 400
    lr_generator: float = 0.02
    lr_discriminator: float = 4e-4
    lr_rise_steps: int = 100
    clip_gradient: float = 0.5
    ema_halflife_steps: float = 150.0
    scale_jitter: float = 1.33
    exposure_jitter: float = 1.25
    jitter_share: float = 0.4
    features: str = "mobilenetv2"
    seed: int = 1
    checkpoint_steps: int = 200
    held_out: tuple[str, ...] = ()
    weights: LossWeights = field(default_factory=LossWeights)
