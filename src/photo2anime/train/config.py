"""Every number a training run depends on, as frozen records; a run's folder holds them as config.json."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal


@dataclass(frozen=True, slots=True)
class LossWeights:
    """How much each term counts; the names are those in stats.jsonl.

    pixel to perceptual: against the picture of the same photo, where there are pairs. content to variation: where
    photos and pictures show other things, AnimeGANv2's terms. adversarial, grid: for both. d_*: the discriminator's.
    """

    pixel: float = 2.0
    gradient: float = 1.0
    line: float = 1.0
    perceptual: float = 1.0
    content: float = 1.5
    style: float = 2.5
    color: float = 15.0
    variation: float = 1.0
    adversarial: float = 0.1
    grid: float = 5.0
    d_anime: float = 1.0
    d_fake: float = 1.0
    d_gray: float = 0.0
    d_smooth: float = 0.0


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Training of one generator, on pairs, on pictures without pairs, or on both.

    generator: "fast" is ours, "animeganv2" the published one, with the published discriminator. total_steps: where
    the cosine schedule ends. warmup_steps: the generator alone, no discriminator and no style; over
    adversarial_rise_steps more the adversarial term grows to its weight. lr_warmup: the generator's rate in the
    warm-up, None for lr_generator. own_colors: share of the photo's broad colours that the result keeps.
    discriminator: "patch" looks at pixels, "features" (pairs only) through the feature network, the photo beside them.
    conditional: that on pixels sees the photo beside the picture, for pairs. scales: at how many sizes it looks,
    each half the last. optimizer: of the generator; "adam" has the published betas. clip_gradient: largest norm, 0
    for any. scale_jitter, exposure_jitter: largest factor, drawn log-uniformly in either direction, 1 for none;
    shade_jitter: largest factor of light and shade laid over a crop;
    hue_jitter: largest turn of all hues, in half circles; each paired crop is jittered with probability
    jitter_share. eye_weight: how much more errors count at the eyes of people's faces. bfloat16: networks compute in
    it where the machine has it, in half the time; weights stay float32.
    held_out: names of pictures (without extension) never trained on.
    """

    style: str
    generator: Literal["fast", "animeganv2"] = "fast"
    width: int = 48
    hidden: int = 96
    low_width: int = 96
    low_blocks: int = 4
    deep_width: int = 88
    deep_blocks: int = 0
    fine_blocks: int = 2
    own_colors: float = 0.0
    discriminator: Literal["patch", "features"] = "patch"
    conditional: bool = False
    scales: int = 1
    crop_px: int = 128
    batch_size: int = 6
    total_steps: int = 3000
    warmup_steps: int = 1500
    adversarial_rise_steps: int = 400
    optimizer: Literal["muon", "adam"] = "muon"
    schedule: Literal["cosine", "constant"] = "cosine"
    lr_generator: float = 0.02
    lr_warmup: float | None = None
    lr_discriminator: float = 4e-4
    lr_rise_steps: int = 100
    clip_gradient: float = 0.5
    ema_halflife_steps: float = 150.0
    scale_jitter: float = 1.33
    exposure_jitter: float = 1.25
    hue_jitter: float = 0.0
    shade_jitter: float = 1.0
    jitter_share: float = 0.4
    eye_weight: float = 1.0
    features: str = "mobilenetv2"
    bfloat16: bool = True
    seed: int = 1
    checkpoint_steps: int = 200
    held_out: tuple[str, ...] = ()
    weights: LossWeights = field(default_factory=LossWeights)


# AnimeGANv2's published weights (TachibanaYoshino/AnimeGANv2: the comments of main.py for the generator's terms,
# tools/ops.py for the discriminator's). Its factor of 300 on the discriminator is left out: Adam does not see it. The
# grid term and those for pairs are ours, in much the same proportion to the adversarial one as in paired training.
_HAYAO = LossWeights(
    content=1.5, style=2.5, color=15, variation=1, adversarial=300,
    pixel=1200, gradient=600, line=1200, perceptual=720, grid=150,
    d_anime=1.2, d_fake=1.2, d_gray=1.2, d_smooth=0.8,
)  # fmt: skip
PUBLISHED_WEIGHTS = {
    "hayao": _HAYAO,
    "shinkai": replace(
        _HAYAO, content=1.2, style=2, color=10, d_anime=1.7, d_fake=1.7, d_gray=1.7, d_smooth=1.0
    ),
    "paprika": replace(
        _HAYAO, content=2, style=0.6, color=50, variation=0.1, d_anime=1, d_fake=1, d_gray=1, d_smooth=0.005
    ),
}  # fmt: skip

# The published schedule: 101 epochs of 554 steps, the first of them warm-up; batch 12 of 256 pixels; Adam throughout.
PUBLISHED = TrainConfig(
    "published",
    generator="animeganv2",
    crop_px=256,
    batch_size=12,
    total_steps=101 * 554,
    warmup_steps=554,
    adversarial_rise_steps=0,
    optimizer="adam",
    schedule="constant",
    lr_generator=2e-5,
    lr_warmup=2e-4,
    lr_discriminator=4e-5,
    lr_rise_steps=0,
    clip_gradient=0,
    features="vgg16",
)

# The same terms for our generator on a small machine: Muon, a cosine, crops of 128.
FAST = TrainConfig("fast", total_steps=4000, warmup_steps=200, lr_generator=0.005, lr_discriminator=2e-4)


# How much larger VGG16's content and style distances are than another network's, between photos and AnimeGANv2's
# pictures of them (measured, docs/log.md), so that the published weights mean the same with each.
FEATURE_UNITS = {"vgg16": (1.0, 1.0), "mobilenetv2": (39.0, 250.0)}


def in_units_of(features: str, w: LossWeights) -> LossWeights:
    """Weights that ask of another feature network what w asks of VGG16."""
    content, style = FEATURE_UNITS[features]
    return replace(w, content=w.content * content, style=w.style * style)


def preset(style: str, weights: str, generator: Literal["fast", "animeganv2"]) -> TrainConfig:
    """The configuration of `photo2anime train`: published weights, and the schedule that suits a generator."""
    base = PUBLISHED if generator == "animeganv2" else FAST
    return replace(base, style=style, weights=PUBLISHED_WEIGHTS[weights])
