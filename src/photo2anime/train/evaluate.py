"""A style against reference pictures of the same photos: fidelity, perceptual distance, line strength, and a grid."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photo2anime.image_io import write_image
from photo2anime.pixels import luma
from photo2anime.stylizer import Stylizer
from photo2anime.train.data import PairedPhotos, as_tensor
from photo2anime.train.features import load_features
from photo2anime.types import RGB, Photo2AnimeError, Picture

_FEATURE_PX = 512  # features are taken of the middle of a picture, at most so large
_GRID_PX = 448


@dataclass(frozen=True, slots=True)
class Figures:
    """One pair, or the mean of several, against the reference.

    psnr_db, photo_psnr_db: of the result and of the photo itself. perceptual: feature distance of the result over the
    photo's own. line_strength, photo_line_strength: mean gradient magnitude over the reference's.
    """

    psnr_db: float
    photo_psnr_db: float
    perceptual: float
    line_strength: float
    photo_line_strength: float
    milliseconds: float

    @property
    def gain_db(self) -> float:
        """How much closer than the photo the result is."""
        return self.psnr_db - self.photo_psnr_db


def evaluate(style: str, photos: Path, targets: Path, names: tuple[str, ...], features: str, out: Path) -> str:
    """The table of figures, in Markdown; also written to out/STYLE.md, with STYLE.json and the grid STYLE.jpg.

    names: which pairs; all when empty. features: the network of the perceptual figure.
    """
    pairs = PairedPhotos(photos, targets)
    if unknown := sorted(set(names) - set(pairs.train)):
        raise Photo2AnimeError(f"no pair called {', '.join(unknown)} in {photos} and {targets}")
    stylizer = Stylizer.load(style)
    network = load_features(features)
    figures: dict[str, Figures] = {}
    grid = []
    for name in names or pairs.train:
        photo, anime = pairs[name]
        started = time.perf_counter()
        fake = stylizer(photo)
        milliseconds = (time.perf_counter() - started) * 1e3
        figures[name] = measure(photo, fake, anime, network, milliseconds)
        grid.append(np.concatenate([_middle(picture, _GRID_PX, fill=True) for picture in (photo, fake, anime)], axis=1))
    figures["mean"] = _mean(list(figures.values()))
    table = _markdown(stylizer.card.name, features, figures)
    out.mkdir(parents=True, exist_ok=True)
    stem = out / stylizer.card.name
    stem.with_suffix(".md").write_text(table, encoding="utf-8")
    rows = {name: asdict(f) | {"gain_db": f.gain_db} for name, f in figures.items()}
    stem.with_suffix(".json").write_text(json.dumps({"features": features, "pairs": rows}, indent=1), encoding="utf-8")
    write_image(stem.with_suffix(".jpg"), Picture(np.concatenate(grid)))
    return table


def measure(photo: RGB, fake: RGB, anime: RGB, features: nn.Module, milliseconds: float = 0.0) -> Figures:
    """The figures of one result: photo, result and reference, each (H, W, 3) uint8. Features are of their middle."""
    with torch.no_grad():
        of_photo, of_fake, of_anime = (features(as_tensor((_middle(p, _FEATURE_PX),))) for p in (photo, fake, anime))
    return Figures(
        psnr_db=psnr(fake, anime),
        photo_psnr_db=psnr(photo, anime),
        perceptual=feature_distance(of_fake, of_anime) / feature_distance(of_photo, of_anime),
        line_strength=gradient_level(fake) / gradient_level(anime),
        photo_line_strength=gradient_level(photo) / gradient_level(anime),
        milliseconds=milliseconds,
    )


def psnr(a: RGB, b: RGB) -> float:
    """Peak signal to noise ratio in dB; infinite for equal pictures."""
    error = np.mean((a.astype(np.float32) - b.astype(np.float32)) ** 2)
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def gradient_level(picture: RGB) -> float:
    """Mean length of the brightness gradient between neighbouring pixels, in grey levels."""
    y = luma(picture)
    down, right = y[1:, :-1] - y[:-1, :-1], y[:-1, 1:] - y[:-1, :-1]
    return float(np.hypot(down, right).mean())


def feature_distance(a: list[Tensor], b: list[Tensor]) -> float:
    """How different two pictures look to a pretrained network, from their features: 0 for the same.

    Features of each layer are scaled to length 1 over the channels, their squared differences averaged over the
    picture and summed over the layers: Zhang et al. 2018 ("The Unreasonable Effectiveness of Deep Features as a
    Perceptual Metric"), equation 1, without its learned channel weights.
    """
    layers = [(F.normalize(f, dim=1) - F.normalize(g, dim=1)).square().sum(1) for f, g in zip(a, b, strict=True)]
    return sum(float(layer.mean()) for layer in layers)


def _middle(picture: RGB, side: int, fill: bool = False) -> RGB:
    """The middle of a picture, at most side pixels high and wide; with fill exactly so, black around smaller ones."""
    height, width = picture.shape[:2]
    top, left = max(0, height - side) // 2, max(0, width - side) // 2
    crop = picture[top : top + side, left : left + side]
    if fill and crop.shape[:2] != (side, side):
        crop = np.pad(crop, ((0, side - crop.shape[0]), (0, side - crop.shape[1]), (0, 0)))
    return np.ascontiguousarray(crop)


def _mean(rows: list[Figures]) -> Figures:
    means = {name: float(np.mean([asdict(row)[name] for row in rows])) for name in asdict(rows[0])}
    return Figures(**means)


def _markdown(style: str, features: str, figures: dict[str, Figures]) -> str:
    lines = [
        f"### {style} against its reference ({features})",
        "",
        "| pair | PSNR | gain over the photo | perceptual over the photo's own | line strength | the photo's | ms |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, f in figures.items():
        lines.append(
            f"| {name} | {f.psnr_db:.2f} dB | {f.gain_db:+.2f} dB | {f.perceptual:.3f} | {f.line_strength:.2f} "
            f"| {f.photo_line_strength:.2f} | {f.milliseconds:.0f} |"
        )
    return "\n".join(lines) + "\n"
