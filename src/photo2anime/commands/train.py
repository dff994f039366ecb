"""The commands that make a network, prepare, distill and train: what they take, and the one call behind each."""

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

from photo2anime.commands.arguments import names_in, need_torch

if TYPE_CHECKING:
    from photo2anime.train.config import TrainConfig
    from photo2anime.train.learning.run import Watch


def add_train_commands(commands: argparse._SubParsersAction[ArgumentParser]) -> None:
    """Adds prepare, distill and train. Nothing heavy is imported before one of them runs."""
    _add_prepare(commands)
    _add_distill(commands)
    _add_train(commands)


def _add_distill(commands: argparse._SubParsersAction[ArgumentParser]) -> None:
    p = _training_parser(
        commands, "distill", "train a style from pairs of photo and picture", "Trains our fast generator on pairs."
    )
    p.add_argument(
        "--targets",
        required=True,
        metavar="DIR|CHAIN",
        help="the pictures, same names; or what draws them: A.onnx, or steps such as flatten,A.onnx,UPSCALER.onnx@3",
    )
    p.add_argument("--style", required=True, metavar="NAME", help="what the style will be called")
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
    about = "train a style from photos and pictures that show other things"
    p = _training_parser(commands, "train", about, "AnimeGANv2's adversarial training.")
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


def _training_parser(
    commands: argparse._SubParsersAction[ArgumentParser], name: str, about: str, method: str
) -> ArgumentParser:
    """The parser of a command that trains on photos. about: one line for the list of commands; method: one sentence."""
    description = f"{method} The same command again goes on where it was stopped."
    p = commands.add_parser(name, help=about, description=description)
    p.add_argument("--photos", type=Path, required=True, metavar="DIR", help="the photos")
    return p


def _add_run_options(p: ArgumentParser) -> None:
    p.add_argument("--run", type=Path, required=True, metavar="RUN_DIR", dest="run_dir", help="where the run is kept")
    p.add_argument("--steps", type=int, dest="total_steps", metavar="N", help="where training ends")
    p.add_argument("--minutes", type=float, metavar="M", help="stop after so long, to go on another time")
    p.add_argument("--warmup-steps", type=int, metavar="N", help="steps before the discriminator joins")
    p.add_argument("--batch-size", type=int, metavar="N", help="of each process")
    p.add_argument("--crop-px", type=int, metavar="PX", help="side of the squares that are trained on")
    p.add_argument("--lr", type=float, dest="lr_generator", metavar="RATE", help="learning rate of the generator")
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
    p.add_argument("--eye-weight", type=float, metavar="W", help="how much more errors at eyes count")
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
    p.add_argument("--seed", type=int, metavar="N", help="of everything that is drawn by lot")
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
    p.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the crops go")
    p.add_argument("--size", type=int, default=256, metavar="PX", help="side of the crops (default 256)")
    p.add_argument("--every", type=float, default=2.0, metavar="SECONDS", help="within a scene, a frame this often")
    p.add_argument("--crops", type=int, default=4, metavar="N", help="at most so many crops a picture (default 4)")
    p.add_argument("--keep-subtitles", action="store_true", help="do not look for subtitles")
    p.set_defaults(run=_prepare)


def _distill(args: Namespace) -> int:
    need_torch()
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
    need_torch()
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
    given |= {"held_out": names_in(args.hold_out), "generator": cfg.generator, "style": cfg.style}
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
