"""The training commands of the command line: what they take, and the one call behind each."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser, Namespace
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path

from photo2anime.types import Photo2AnimeError


def add_train_commands(commands: argparse._SubParsersAction[ArgumentParser]) -> None:
    """Adds prepare, distill, evaluate, export and import. Nothing heavy is imported before one of them runs."""
    _add_prepare(commands)
    _add_evaluate(commands)
    _add_import(commands)
    p = commands.add_parser(
        "distill",
        help="train a style from pairs of photo and picture",
        description="Trains our fast generator on pairs. The same command again goes on where it was stopped.",
    )
    p.add_argument("--photos", type=Path, required=True, metavar="DIR")
    p.add_argument(
        "--targets",
        type=Path,
        required=True,
        metavar="DIR|MODEL.onnx",
        help="the pictures, same names, or who paints them",
    )
    p.add_argument("--style", required=True, metavar="NAME")
    p.add_argument("--run", type=Path, required=True, metavar="RUN_DIR", dest="run_dir")
    p.add_argument("--steps", type=int, dest="total_steps", metavar="N", help="where training ends (default 3000)")
    p.add_argument("--minutes", type=float, metavar="M", help="stop after so long, to go on another time")
    p.add_argument("--warmup-steps", type=int, metavar="N", help="steps before the discriminator joins")
    p.add_argument("--batch-size", type=int, metavar="N")
    p.add_argument("--crop-px", type=int, metavar="PX")
    p.add_argument("--lr", type=float, dest="lr_generator", metavar="RATE")
    p.add_argument("--width", type=int, metavar="CHANNELS", help="channels at 1/4 of the size (default 48)")
    p.add_argument("--features", choices=("mobilenetv2", "vgg16"), help="network of the perceptual loss")
    p.add_argument("--adversarial", type=float, metavar="WEIGHT", help="weight of the adversarial term, 0 for none")
    p.add_argument("--perceptual", type=float, metavar="WEIGHT", help="weight of the perceptual term")
    p.add_argument("--line", type=float, metavar="WEIGHT", help="weight of the line strength term")
    p.add_argument("--seed", type=int)
    p.add_argument("--checkpoint-steps", type=int, metavar="N", help="save and sample every N steps")
    p.add_argument("--hold-out", default="", metavar="NAME,..", help="pairs kept aside to judge the result")
    p.add_argument("--from", dest="start_from", metavar="RUN_DIR|STYLE|FILE.onnx", help="begin with these weights")
    p.set_defaults(run=_distill)

    p = commands.add_parser("export", help="turn a training run into an .onnx file with its card")
    p.add_argument("run_dir", type=Path, metavar="RUN_DIR")
    p.add_argument("--out", type=Path, metavar="DIR", help="default: RUN_DIR/export")
    p.add_argument("--description", default="", help="one line for `photo2anime styles`")
    p.add_argument("--license", default="as the material it was trained on", help="of the weights")
    p.add_argument("--install", action="store_true", help="also make it a style of this installation")
    p.set_defaults(run=_export)


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
    missing = [name for name in ("torch", "onnx", "safetensors") if find_spec(name) is None]
    if missing:
        raise Photo2AnimeError(f"training needs {', '.join(missing)}: pip install 'photo2anime[train]'")


def _distill(args: Namespace) -> int:
    _need_torch()
    from photo2anime.train.config import DistillConfig, LossWeights
    from photo2anime.train.distill import distill

    given = {name: value for name, value in vars(args).items() if value is not None}
    weights = LossWeights(**{f.name: given[f.name] for f in fields(LossWeights) if f.name in given})
    known = {f.name: given[f.name] for f in fields(DistillConfig) if f.name in given}
    cfg = DistillConfig(**known, weights=weights, held_out=_names(args.hold_out))
    distill(
        args.photos,
        args.targets,
        args.run_dir,
        cfg,
        minutes=args.minutes,
        start_from=args.start_from,
        report=lambda line: print(line, flush=True),
    )
    return 0


def _prepare(args: Namespace) -> int:
    from photo2anime.train.prepare import PrepareConfig, prepare

    cfg = PrepareConfig(args.size, args.every, args.crops, not args.keep_subtitles)
    summary = prepare(args.sources, args.out, cfg, report=lambda line: print(line, flush=True))
    print(summary.text)
    return 1 if summary.unreadable else 0


def _evaluate(args: Namespace) -> int:
    _need_torch()
    from photo2anime.train.evaluate import Question, evaluate

    names, out = _names(args.names), args.out or Path()
    print(evaluate(args.styles, Question(args.photos, args.targets, args.anime, names, args.features), out))
    return 0


def _import(args: Namespace) -> int:
    if args.file.suffix.lower() != ".onnx":
        _need_torch()
    from photo2anime.train.adopt import Adoption, adopt

    known = {name: getattr(args, name) for name in ("name", "upsampling", "description", "license", "replace")}
    card = adopt(Adoption(args.file, **known))
    print(f"{card.name}: {card.file}; use it with `photo2anime paint PHOTO -s {card.name}`")
    return 0


def _export(args: Namespace) -> int:
    _need_torch()
    from photo2anime.train.export import export

    written = export(args.run_dir, args.out or args.run_dir / "export", args.description, args.license)
    print(f"{written.file}  torch against ONNX Runtime: {written.worst_level:.4f} grey levels at most")
    if args.install:
        from photo2anime.train.export import install

        install(written)
    return 0


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)
