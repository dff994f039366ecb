"""The commands for finished networks, evaluate, export and import: what they take, and the one call behind each."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser, Namespace
from pathlib import Path

from photo2anime.commands.arguments import names_in, need_torch


def add_publish_commands(commands: argparse._SubParsersAction[ArgumentParser]) -> None:
    """Adds evaluate, import and export. Nothing heavy is imported before one of them runs."""
    _add_evaluate(commands)
    _add_import(commands)
    _add_export(commands)


def _add_evaluate(commands: argparse._SubParsersAction[ArgumentParser]) -> None:
    p = commands.add_parser("evaluate", help="measure styles, with or without reference pictures")
    p.add_argument("styles", nargs="+", metavar="STYLE", help="names of styles or .onnx files; all go into one table")
    p.add_argument("--photos", type=Path, required=True, metavar="DIR", help="the photos to paint")
    p.add_argument("--targets", type=Path, metavar="DIR", help="reference pictures of the photos, same names")
    p.add_argument("--anime", type=Path, metavar="DIR", help="pictures of the style, any names, for KID")
    p.add_argument("--drawn", action="store_true", help="also measure how drawn pictures look (fetches a network once)")
    p.add_argument("--names", default="", metavar="NAME,..", help="only these photos")
    p.add_argument("--features", default="vgg16", choices=("mobilenetv2", "vgg16"), help="network of the distances")
    p.add_argument("--out", type=Path, metavar="DIR", help="where JSON, tables and grids go (default: here)")
    p.set_defaults(run=_evaluate)


def _add_import(commands: argparse._SubParsersAction[ArgumentParser]) -> None:
    p = commands.add_parser(
        "import",
        help="install somebody's AnimeGANv2 checkpoint or .onnx file as a style",
        description="Installs a network for this user: an .onnx file, or the state dict of AnimeGANv2's generator as "
        "animegan2-pytorch published it.",
    )
    p.add_argument("file", type=Path, metavar="FILE", help="an .onnx file, or weights")
    p.add_argument("--name", required=True, metavar="STYLE", help="what it will be called")
    p.add_argument(
        "--upsampling", choices=("align-corners", "half-pixel"), help="how a PyTorch checkpoint doubles sizes"
    )
    p.add_argument("--description", default="", help="one line for `photo2anime styles`")
    p.add_argument("--license", default="", help="of the weights; default: what an .onnx file says of itself")
    p.add_argument("--replace", action="store_true", help="an installed style of that name gives way")
    p.set_defaults(run=_import)


def _add_export(commands: argparse._SubParsersAction[ArgumentParser]) -> None:
    p = commands.add_parser("export", help="turn a training run into an .onnx file with its card")
    p.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="a run of `train` or `distill`")
    p.add_argument("--out", type=Path, metavar="DIR", help="default: RUN_DIR/export")
    p.add_argument("--description", default="", help="one line for `photo2anime styles`")
    p.add_argument("--license", default="as the material it was trained on", help="of the weights")
    p.add_argument(
        "--int8", type=Path, metavar="PHOTOS", help="also make an 8-bit network for video, from these photos"
    )
    p.add_argument("--ink", type=float, default=0.0, metavar="SHARE", help="draw lines along its edges, 0 to 1 (0.85)")
    p.add_argument("--light", type=float, default=0.0, metavar="SHARE", help="lift its darks, 0 to 1 (1)")
    p.add_argument("--install", action="store_true", help="also make it a style of this user")
    p.add_argument(
        "--ship-fast", action="store_true", help="make its 8-bit network the shipped style's for video (for its makers)"
    )
    p.add_argument("--ship", action="store_true", help="also put it into this package (for its makers)")
    p.set_defaults(run=_export)


def _evaluate(args: Namespace) -> int:
    need_torch()
    from photo2anime.train.evaluation.evaluate import EvaluateConfig, evaluate

    names, out = names_in(args.names), args.out or Path()
    print(
        evaluate(
            args.styles, EvaluateConfig(args.photos, args.targets, args.anime, names, args.features, args.drawn), out
        )
    )
    return 0


def _import(args: Namespace) -> int:
    if args.file.suffix.lower() != ".onnx":
        need_torch()
    from photo2anime.train.publishing.import_style import StyleImport, import_style

    known = {name: getattr(args, name) for name in ("name", "upsampling", "description", "license", "replace")}
    card = import_style(StyleImport(args.file, **known))
    print(f"{card.name}: {card.file}; use it with `photo2anime paint PHOTO -s {card.name}`")
    return 0


def _export(args: Namespace) -> int:
    need_torch()
    from photo2anime.train.publishing.export import export

    out = args.out or args.run_dir / "export"
    written = export(args.run_dir, out, args.description, args.license, args.int8, args.ink, args.light)
    print(f"{written.file}  torch against ONNX Runtime: {written.worst_level:.4f} grey levels at most")
    if written.int8_psnr_db is not None:
        print(f"{written.card.int8_file}  {written.int8_psnr_db:.1f} dB near it")
    if args.install:
        from photo2anime.train.publishing.import_style import StyleImport, import_style

        twin = written.file.with_name(written.card.int8_file) if written.card.int8_file else None
        card = import_style(StyleImport(written.file, written.card.name, replace=True, int8=twin))
        print(f"{card.name} is installed: `photo2anime paint PHOTO -s {card.name}`")
    if args.ship_fast:
        from photo2anime.train.publishing.export import ship_fast

        ship_fast(written)
    if args.ship:
        from photo2anime.train.publishing.export import ship

        ship(written)
    return 0
