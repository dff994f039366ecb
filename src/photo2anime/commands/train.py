"""The training commands of the command line: what they take, and the one call behind each."""

from __future__ import annotations

import argparse
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from photo2anime.commands.arguments import need

if TYPE_CHECKING:
    from photo2anime.train.config import TrainConfig
    from photo2anime.train.learning.run import Watch


def add_train_commands(commands: argparse._SubParsersAction[ArgumentParser]) -> None:
    """Adds prepare, distill, train, evaluate, export and import; nothing heavy is imported before one of them runs."""
    _add_prepare(commands)
    _add_distill(commands)
    _add_train(commands)
    _add_evaluate(commands)
    _add_import(commands)

    p = commands.add_parser("export", help="turn a training run into an .onnx file with its card")
    p.add_argument("run_dir", type=Path, metavar="RUN_DIR")
    p.add_argument("--out", type=Path, metavar="DIR", help="default: RUN_DIR/export")
    p.add_argument("--description", default="", help="one line for `photo2anime styles`")
    p.add_argument("--license", default="as the material it was trained on", help="of the weights")
    p.add_argument(
        "--int8", type=Path, metavar="PHOTOS", help="also make an 8-bit network for video, from these photos"
    )
    p.add_argument("--install", action="store_true", help="also make it a style of this user")
    p.add_argument("--ship", action="store_true", help="also put it into this package (for its makers)")
    p.set_defaults(run=_export)


def _add_distill(commands: argparse._SubParsersAction[ArgumentParser]) -> None:
    p = commands.add_parser(
        "distill",
        help="train a style from pairs of photo and picture",
        description="Trains our fast generator on pairs. The same command again goes on where it was stopped.",
    )
    p.add_argument("--photos", type=Path, required=True, metavar="DIR")
    p.add_argument(
        "--targets",
        required=True,
        metavar="DIR|CHAIN",
        help="the pictures, same names; or what draws them: A.onnx, or steps such as flatten,A.onnx,UPSCALER.onnx@3",
    )
    p.add_argument("--style", required=True, metavar="NAME")
    p.add_argument(
        "--pseudo-pairs",
        type=Path,
        nargs=2,
        metavar="DIR",
        help="photos and what other networks made of them, mixed in half and half",
    )
    p.add_argument(
        "--discriminator", choices=("patch", "features"), help="looks at pixels, or through the feature network"
    )
    p.add_argument(
        "--conditional", action="store_const", const=True, help="the discriminator sees the photo beside the picture"
    )
    _add_run_options(p)
    p.set_defaults(run=_distill)


def _add_train(commands: argparse._SubParsersAction[ArgumentParser]) -> None:
    p = commands.add_parser(
        "train",
        help="train a style from photos and pictures that show other things",
        description="AnimeGANv2's adversarial training. The same command again goes on where it was stopped.",
    )
    p.add_argument("--photos", type=Path, required=True, metavar="DIR")
    p.add_argument("--anime", type=Path, required=True, metavar="DIR", help="pictures of the style: prepare's, or any")
    p.add_argument("--preset", default="hayao", choices=("hayao", "shinkai", "paprika"), help="whose published weights")
    p.add_argument("--generator", default="fast", choices=("fast", "animeganv2"), help="ours, or the published one")
    p.add_argument("--style", metavar="NAME", help="default: the preset's")
    p.add_argument(
        "--pairs", type=Path, nargs=2, metavar="DIR", help="photos and their targets, mixed in half and half"
    )
    p.add_argument("--dry-run", action="store_true", help="only tell the networks, time and memory to expect")
    _add_run_options(p)
    p.set_defaults(run=_train)


def _add_run_options(p: ArgumentParser) -> None:
    p.add_argument("--run", type=Path, required=True, metavar="RUN_DIR", dest="run_dir")
    p.add_argument("--steps", type=int, dest="total_steps", metavar="N", help="where training ends")
    p.add_argument("--minutes", type=float, metavar="M", help="stop after so long, to go on another time")
    p.add_argument("--warmup-steps", type=int, metavar="N", help="steps before the discriminator joins")
    p.add_argument("--batch-size", type=int, metavar="N", help="of each process")
    p.add_argument("--crop-px", type=int, metavar="PX")
    p.add_argument("--lr", type=float, dest="lr_generator", metavar="RATE")
    p.add_argument("--width", type=int, metavar="CHANNELS", help="channels at 1/4 of the size (default 48)")
    p.add_argument("--hidden", type=int, metavar="CHANNELS", help="channels inside a block at 1/4 (default 96)")
    p.add_argument("--fine-blocks", type=int, metavar="N", help="residual blocks at 1/4 after the others (default 2)")
    p.add_argument("--low-blocks", type=int, metavar="N", help="residual blocks at 1/8 (default 4)")
    p.add_argument("--deep-blocks", type=int, metavar="N", help="residual blocks at 1/16, 3 for portraits (default 0)")
    p.add_argument(
        "--own-colors", type=float, metavar="SHARE", help="of the photo's broad colours that the result keeps"
    )
    p.add_argument("--hue-jitter", type=float, metavar="TURN", help="turn hues by up to so many half circles")
    p.add_argument("--shade-jitter", type=float, metavar="FACTOR", help="lay light and shade of so much over crops")
    p.add_argument("--scales", type=int, metavar="N", help="sizes the discriminator looks at (default 1)")
    p.add_argument("--features", choices=("mobilenetv2", "vgg16"), help="network of the perceptual and content terms")
    for term in (
        "pixel",
        "gradient",
        "perceptual",
        "line",
        "content",
        "style_term",
        "color",
        "variation",
        "adversarial",
    ):
        name = term.replace("_term", "")
        p.add_argument(
            f"--{term.replace('_', '-')}", type=float, dest=f"w_{name}", metavar="W", help=f"weight of {name}"
        )
    p.add_argument("--seed", type=int)
    p.add_argument("--checkpoint-steps", type=int, metavar="N", help="save and sample every N steps")
    p.add_argument("--hold-out", default="", metavar="NAME,..", help="pairs kept aside to judge the result")
    p.add_argument("--from", dest="start_from", metavar="RUN_DIR|STYLE|FILE.onnx", help="begin with these weights")


def _add_prepare(commands: argparse._SubParsersAction[ArgumentParser]) -> None:
    p = commands.add_parser(
        "prepare",
        help="turn films and folders of pictures into training crops",
        description="Cuts square crops for training out of pictures and films, drops what teaches nothing and says how "
        "many and why. The same command again goes on where it was stopped.",
    )
    p.add_argument("sources", nargs="+", type=Path, metavar="SOURCE", help="a folder of pictures or films, or one film")
    p.add_argument("--out", type=Path, required=True, metavar="DIR")
    p.add_argument("--size", type=int, default=256, metavar="PX", help="side of the crops (default 256)")
    p.add_argument("--every", type=float, default=2.0, metavar="SECONDS", help="within a scene, a frame this often")
    p.add_argument("--crops", type=int, default=4, metavar="N", help="at most so many crops a picture (default 4)")
    p.add_argument("--keep-subtitles", action="store_true", help="do not look for subtitles")
    p.set_defaults(run=_prepare)


def _add_evaluate(commands: argparse._SubParsersAction[ArgumentParser]) -> None:
    p = commands.add_parser("evaluate", help="measure styles, with or without reference pictures")
    p.add_argument("styles", nargs="+", metavar="STYLE", help="names of styles or .onnx files; all go into one table")
    p.add_argument("--photos", type=Path, required=True, metavar="DIR")
    p.add_argument("--targets", type=Path, metavar="DIR", help="reference pictures of the photos, same names")
    p.add_argument("--anime", type=Path, metavar="DIR", help="pictures of the style, any names, for KID")
    p.add_argument("--drawn", action="store_true", help="also measure how drawn pictures look (fetches a network once)")
    p.add_argument("--names", default="", metavar="NAME,..", help="only these photos")
    p.add_argument("--features", default="vgg16", choices=("mobilenetv2", "vgg16"))
    p.add_argument("--out", type=Path, metavar="DIR", help="where JSON, tables and grids go (default: here)")
    p.set_defaults(run=_evaluate)


def _add_import(commands: argparse._SubParsersAction[ArgumentParser]) -> None:
    p = commands.add_parser(
        "import",
        help="install somebody's AnimeGANv2 checkpoint or .onnx file as a style",
        description="Installs a network for this user: an .onnx file, or the state dict of AnimeGANv2's generator as "
        "animegan2-pytorch published it.",
    )
    p.add_argument("file", type=Path, metavar="FILE")
    p.add_argument("--name", required=True, metavar="STYLE", help="what it will be called")
    p.add_argument(
        "--upsampling", choices=("align-corners", "half-pixel"), help="how a PyTorch checkpoint doubles sizes"
    )
    p.add_argument("--description", default="", help="one line for `photo2anime styles`")
    p.add_argument("--license", default="", help="of the weights; default: what an .onnx file says of itself")
    p.add_argument("--replace", action="store_true", help="an installed style of that name gives way")
    p.set_defaults(run=_import)


def _need_torch() -> None:
    need("training", "train", "torch", "onnx", "safetensors")


def _distill(args: Namespace) -> int:
    _need_torch()
    from photo2anime.train.config import TrainConfig
    from photo2anime.train.learning.distill import distill

    cfg = _as_asked(TrainConfig(args.style), args)
    with _watched(args, cfg.total_steps) as watch:
        distill(
            args.photos,
            args.targets,
            args.run_dir,
            cfg,
            pseudo_pairs=tuple(args.pseudo_pairs) if args.pseudo_pairs else None,
            start_from=args.start_from,
            watch=watch,
        )
    return 0


def _train(args: Namespace) -> int:
    _need_torch()
    from photo2anime.train.config import preset
    from photo2anime.train.learning.adversarial import dry_run, open_sources, train

    cfg = _as_asked(preset(args.style or args.preset, args.preset, args.generator), args)
    pairs = tuple(args.pairs) if args.pairs else None
    if args.dry_run:
        print(dry_run(*open_sources(args.photos, args.anime, cfg, pairs)))
        return 0
    with _watched(args, cfg.total_steps) as watch:
        train(args.photos, args.anime, args.run_dir, cfg, pairs=pairs, start_from=args.start_from, watch=watch)
    return 0


def _as_asked(cfg: TrainConfig, args: Namespace) -> TrainConfig:
    """Cfg with what the command line says otherwise."""
    given = {name: value for name, value in vars(args).items() if value is not None}
    given |= {"held_out": _names(args.hold_out), "generator": cfg.generator, "style": cfg.style}
    weights = {f.name: given[f"w_{f.name}"] for f in fields(cfg.weights) if f"w_{f.name}" in given}
    known = {f.name: given[f.name] for f in fields(cfg) if f.name in given}
    return replace(cfg, **known, weights=replace(cfg.weights, **weights))


@contextmanager
def _watched(args: Namespace, total_steps: int) -> Iterator[Watch]:
    """A progress bar on a terminal, and a line at each checkpoint; silent in all processes but the first."""
    from tqdm import tqdm

    from photo2anime.train.learning.run import Watch

    if os.environ.get("RANK", "0") != "0":
        yield Watch(minutes=args.minutes)
        return
    with tqdm(total=total_steps, unit="step", disable=None, dynamic_ncols=True) as bar:

        def on_step(step: int) -> None:
            bar.update(step - bar.n)

        def report(line: str) -> None:
            bar.write(line)
            sys.stdout.flush()

        yield Watch(args.minutes, report, on_step)


def _prepare(args: Namespace) -> int:
    from photo2anime.train.data.prepare import PrepareConfig, prepare

    cfg = PrepareConfig(args.size, args.every, args.crops, not args.keep_subtitles)
    summary = prepare(args.sources, args.out, cfg, report=lambda line: print(line, flush=True))
    print(summary.text)
    return 1 if summary.unreadable else 0


def _evaluate(args: Namespace) -> int:
    _need_torch()
    from photo2anime.train.evaluation.evaluate import EvaluateConfig, evaluate

    names, out = _names(args.names), args.out or Path()
    print(
        evaluate(
            args.styles, EvaluateConfig(args.photos, args.targets, args.anime, names, args.features, args.drawn), out
        )
    )
    return 0


def _import(args: Namespace) -> int:
    if args.file.suffix.lower() != ".onnx":
        _need_torch()
    from photo2anime.train.publishing.import_style import StyleImport, import_style

    known = {name: getattr(args, name) for name in ("name", "upsampling", "description", "license", "replace")}
    card = import_style(StyleImport(args.file, **known))
    print(f"{card.name}: {card.file}; use it with `photo2anime paint PHOTO -s {card.name}`")
    return 0


def _export(args: Namespace) -> int:
    _need_torch()
    from photo2anime.train.publishing.export import export

    written = export(args.run_dir, args.out or args.run_dir / "export", args.description, args.license, args.int8)
    print(f"{written.file}  torch against ONNX Runtime: {written.worst_level:.4f} grey levels at most")
    if written.int8_psnr_db is not None:
        print(f"{written.card.int8_file}  {written.int8_psnr_db:.1f} dB near it")
    if args.install:
        from photo2anime.train.publishing.import_style import StyleImport, import_style

        twin = written.file.with_name(written.card.int8_file) if written.card.int8_file else None
        card = import_style(StyleImport(written.file, written.card.name, replace=True, int8=twin))
        print(f"{card.name} is installed: `photo2anime paint PHOTO -s {card.name}`")
    if args.ship:
        from photo2anime.train.publishing.export import ship

        ship(written)
    return 0


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)
