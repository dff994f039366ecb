"""`photo2anime evaluate`: styles in one table: closeness to the style, content, look, flicker, cost, and a grid."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from photo2anime.images.image_io import write_image
from photo2anime.painting.stylizer import Stylizer
from photo2anime.train.data.dataset import PairedPhotos, pictures_in, read_rgb
from photo2anime.train.evaluation.benchmark import Cost, Flicker, cost, flicker
from photo2anime.train.evaluation.drawnness import Drawn, Drawnness
from photo2anime.train.evaluation.kid import Kid, KidToStyle
from photo2anime.train.evaluation.metrics import (
    PictureMetrics,
    ReferenceMetrics,
    dark_lines,
    flatness,
    measure,
    middle,
    middle_taps,
    picture_metrics,
)
from photo2anime.train.networks.features import load_features
from photo2anime.types import RGB, Photo2AnimeError, Picture

_GRID_PX = 448
_FILMED_PHOTOS = 3  # flicker is measured on the first so many


@dataclass(frozen=True, slots=True)
class EvaluateConfig:
    """What styles are measured on. targets: reference pictures of the photos, same names, or None. anime: pictures of
    the style, any names and contents, or None for no KID. names: only these photos; all when empty. features: the
    network of the perceptual and content figures. drawn: whether to measure how drawn pictures look.
    """

    photos: Path
    targets: Path | None = None
    anime: Path | None = None
    names: tuple[str, ...] = ()
    features: str = "vgg16"
    drawn: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """Everything measured of one style. pairs: by photo and "mean"; empty without references. looks: by photo."""

    name: str
    pairs: dict[str, ReferenceMetrics]
    looks: dict[str, PictureMetrics]
    flicker: Flicker
    cost: Cost
    kid: Kid | None
    drawn: Drawn | None = None


def evaluate(styles: list[str], cfg: EvaluateConfig, out: Path) -> str:
    """The tables in Markdown: one with a row for each style, and with references one of pairs for each style.

    styles: names, or paths of .onnx files, whoever made them. Writes out/evaluation.md, out/evaluation.json and
    out/evaluation.jpg (a row for each photo: itself, each style, its reference), and for each style STYLE.md,
    STYLE.json and STYLE.jpg. Raises Photo2AnimeError for unknown names and styles, and when a feature network is
    neither in the cache nor to be had.
    """
    photos, targets = _read_pictures(cfg)
    stylizers = [Stylizer.load(style) for style in styles]
    names = [stylizer.card.name for stylizer in stylizers]
    if len(set(names)) < len(names):
        raise Photo2AnimeError(f"two of the styles are called alike ({', '.join(names)}); rename a file")
    features = load_features(cfg.features)
    animes = _read_folder(cfg.anime) if cfg.anime else []
    kid = KidToStyle(animes) if animes else None
    drawnness = Drawnness() if cfg.drawn else None
    reports, columns = [], [list(photos.values())]
    out.mkdir(parents=True, exist_ok=True)
    for style, stylizer in zip(styles, stylizers, strict=True):
        report, fakes = _judge(style, stylizer, photos, targets, features)
        if kid:
            report = replace(report, kid=kid(fakes))
        report = replace(report, drawn=_drawn(fakes, drawnness))
        shown = [columns[0], fakes, *([list(targets.values())] if targets else [])]
        _write(out / report.name, _pairs_table(report, cfg.features), _as_json([report], cfg), shown)
        reports.append(report)
        columns.append(fakes)
    anchors = _anchors(list(photos.values()), list(targets.values()), animes, kid, drawnness)
    table = _style_table(reports, anchors, next(iter(photos.values())))
    shown = [*columns, *([list(targets.values())] if targets else [])]
    _write(out / "evaluation", table, _as_json(reports, cfg), shown)
    return "\n".join([table, *(_pairs_table(report, cfg.features) for report in reports if report.pairs)])


def _judge(
    style: str, stylizer: Stylizer, photos: dict[str, RGB], targets: dict[str, RGB], features: nn.Module
) -> tuple[Report, list[RGB]]:
    """Everything but KID, and the painted photos."""
    fakes: list[RGB] = []
    pairs: dict[str, ReferenceMetrics] = {}
    looks: dict[str, PictureMetrics] = {}
    for name, photo in photos.items():
        started = time.perf_counter()
        fake = stylizer.paint(photo)
        milliseconds = (time.perf_counter() - started) * 1e3
        fakes.append(fake)
        taps_of = middle_taps(features)
        looks[name] = picture_metrics(photo, fake, taps_of)
        if name in targets:
            pairs[name] = measure(photo, fake, targets[name], taps_of, milliseconds)
    if pairs:
        pairs["mean"] = ReferenceMetrics(**_mean(pairs.values()))
    filmed = list(photos.values())[:_FILMED_PHOTOS]
    spent = cost(style, *filmed[0].shape[:2])
    return Report(stylizer.card.name, pairs, looks, flicker(filmed, stylizer.paint), spent, None), fakes


def _read_pictures(cfg: EvaluateConfig) -> tuple[dict[str, RGB], dict[str, RGB]]:
    """The photos and, where references are given, the references, by name."""
    if cfg.targets:
        pairs = PairedPhotos(cfg.photos, cfg.targets)
        if unknown := sorted(set(cfg.names) - set(pairs.train)):
            raise Photo2AnimeError(f"no pair called {', '.join(unknown)} in {cfg.photos} and {cfg.targets}")
        both = {name: pairs[name] for name in cfg.names or pairs.train}
        return {name: photo for name, (photo, _) in both.items()}, {name: anime for name, (_, anime) in both.items()}
    files = pictures_in(cfg.photos)
    if unknown := sorted(set(cfg.names) - files.keys()):
        raise Photo2AnimeError(f"no photo called {', '.join(unknown)} in {cfg.photos}")
    if not files:
        raise Photo2AnimeError(f"there are no photos in {cfg.photos}")
    return {name: read_rgb(files[name]) for name in cfg.names or files}, {}


def _read_folder(folder: Path) -> list[RGB]:
    files = pictures_in(folder)
    if len(files) < 2:
        raise Photo2AnimeError(f"{folder} holds {len(files)} pictures; KID needs several, better thirty")
    return [read_rgb(file) for file in files.values()]


@dataclass(frozen=True, slots=True)
class _Anchor:
    """A row for comparison: pictures that were not painted."""

    name: str
    flatness: float
    lines: float
    kid: Kid | None
    drawn: Drawn | None


def _anchors(
    photos: list[RGB], targets: list[RGB], animes: list[RGB], kid: KidToStyle | None, drawnness: Drawnness | None
) -> list[_Anchor]:
    """The photos themselves; their references; the style pictures, whose KID is that between their halves."""

    def anchor(name: str, pictures: list[RGB], distance: Kid | None) -> _Anchor:
        flat, lines = (float(np.mean([f(p) for p in pictures])) for f in (flatness, dark_lines))
        return _Anchor(name, flat, lines, distance, _drawn(pictures, drawnness))

    anchors = [anchor("the photos", photos, kid(photos) if kid else None)]
    if targets:
        anchors.append(anchor("the references", targets, kid(targets) if kid else None))
    if kid:
        anchors.append(anchor("the style pictures", animes, kid.among_themselves))
    return anchors


def _drawn(pictures: list[RGB], drawnness: Drawnness | None) -> Drawn | None:
    return Drawn(**_mean(map(drawnness, pictures))) if drawnness else None


# Tables and files


def _mean(rows: Iterable[Any]) -> dict[str, float]:
    """The mean of each field of records of one kind."""
    found = [asdict(row) for row in rows]
    return {name: float(np.mean([row[name] for row in found])) for name in found[0]}


def _style_table(reports: list[Report], anchors: list[_Anchor], photo: RGB) -> str:
    height, width = photo.shape[:2]
    lines = [
        "| style | drawn, whole / middle | KID x 1000 "
        "| content | edges kept | flatness | dark lines | brightness | colour | noise | pan "
        f"| ms at {width}x{height} | MB |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for a in anchors:
        lines.append(
            f"| {a.name} | {_drawn_text(a.drawn)} | {_kid_text(a.kid)} | | | {a.flatness:.2f} | {a.lines:.2f} "
            "| | | | | | |"
        )
    for r in reports:
        of = PictureMetrics(**_mean(r.looks.values()))
        lines.append(
            f"| {r.name} | {_drawn_text(r.drawn)} | {_kid_text(r.kid)} "
            f"| {of.content:.3f} | {of.edges_kept:.2f} | {of.flatness:.2f} "
            f"| {of.lines:.2f} | {of.brightness:+.1f} | {of.color:.1f} | {r.flicker.noise:.2f} | {r.flicker.pan:.2f} "
            f"| {r.cost.milliseconds:.0f} | {r.cost.memory_mb:.0f} |"
        )
    return "\n".join(lines) + "\n"


def _drawn_text(drawn: Drawn | None) -> str:
    return f"{drawn.whole:.2f} / {drawn.middle:.2f}" if drawn else ""


def _kid_text(kid: Kid | None) -> str:
    return f"{kid.distance:.1f} ± {kid.spread:.1f}" if kid else ""


def _pairs_table(report: Report, features: str) -> str:
    if not report.pairs:
        return _style_table([report], [], np.zeros((0, 0, 3), np.uint8))
    lines = [
        f"### {report.name} against its reference ({features})",
        "",
        "| pair | PSNR | gain over the photo | perceptual over the photo's own | line strength | the photo's | ms |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, f in report.pairs.items():
        lines.append(
            f"| {name} | {f.psnr_db:.2f} dB | {f.gain_db:+.2f} dB | {f.perceptual:.3f} | {f.line_strength:.2f} "
            f"| {f.photo_line_strength:.2f} | {f.milliseconds:.0f} |"
        )
    return "\n".join(lines) + "\n"


def _as_json(reports: list[Report], cfg: EvaluateConfig) -> dict[str, Any]:
    """One style's figures at the top, several below "styles"."""
    styles = {}
    for r in reports:
        facts: dict[str, Any] = {"pairs": {name: asdict(f) | {"gain_db": f.gain_db} for name, f in r.pairs.items()}}
        facts |= {"looks": {name: asdict(of) for name, of in r.looks.items()} | {"mean": _mean(r.looks.values())}}
        facts |= {"flicker": asdict(r.flicker), "cost": asdict(r.cost), "kid": asdict(r.kid) if r.kid else None}
        styles[r.name] = facts
    one = len(reports) == 1
    return {"features": cfg.features} | (styles[reports[0].name] if one else {"styles": styles})


def _write(stem: Path, table: str, record: dict[str, Any], columns: list[list[RGB]]) -> None:
    """stem.md, stem.json and stem.jpg; names with dots keep them."""
    stem.with_name(stem.name + ".md").write_text(table, encoding="utf-8")
    stem.with_name(stem.name + ".json").write_text(json.dumps(record, indent=1), encoding="utf-8")
    cells = [[middle(picture, _GRID_PX, fill=True) for picture in row] for row in zip(*columns, strict=True)]
    grid = np.concatenate([np.concatenate(row, axis=1) for row in cells])
    write_image(stem.with_name(stem.name + ".jpg"), Picture(grid))
