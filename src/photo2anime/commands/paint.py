"""The command line of `photo2anime paint`: what it takes, and the one call behind it."""

from __future__ import annotations

import argparse
import math
from argparse import ArgumentParser, Namespace

from photo2anime.commands.arguments import add_look_arguments, number, record_of
from photo2anime.options import LoadOptions, PaintOptions, PhotosOptions


def add_paint_command(commands: argparse._SubParsersAction[ArgumentParser]) -> None:
    """Adds `paint`. Nothing heavy is imported before it runs."""
    p = commands.add_parser(
        "paint",
        help="paint photos",
        description="Paints photos. The result of a/b.jpg is a/b-STYLE.jpg unless -o says otherwise.",
    )
    p.add_argument("photos", nargs="+", metavar="PHOTO", help="a photo, a folder with -r, or - for standard input")
    p.add_argument("-o", "--out", metavar="FILE|DIR", help="where to; - is standard output")
    p.add_argument(
        "-s", "--style", default="hayao", metavar="STYLE", help="a style, an .onnx file, several with commas, or all"
    )
    add_look_arguments(p)
    p.add_argument("--compare", action="store_true", help="one sheet of the photo in all styles, for choosing")
    p.add_argument("--side-by-side", action="store_true", help="photo and result in one picture")
    p.add_argument(
        "-f", "--format", choices=("png", "jpg", "webp", "avif", "tiff", "bmp"), help="default: the photo's own"
    )
    p.add_argument("-q", "--quality", type=_percent, metavar="1..100", help="of JPEG, WebP and AVIF")
    p.add_argument("-r", "--recursive", action="store_true", help="paint all photos in folders and their subfolders")
    p.add_argument("--skip-existing", action="store_true", help="leave results that are there already")
    p.add_argument(
        "--overwrite",
        action="store_true",
        help="replace a file that is there, even the photo itself; without it only results under the usual name, "
        "PHOTO-STYLE, are made anew",
    )
    p.add_argument("--strip-metadata", action="store_true", help="write no EXIF, GPS position, XMP, IPTC or text")
    p.add_argument(
        "--max-megapixels", type=_megapixels, default=300, metavar="N", help="refuse larger photos (default 300)"
    )
    p.add_argument("--json", action="store_true", help="one JSON object for each result on standard output")
    p.set_defaults(run=_paint)


def _paint(args: Namespace) -> int:
    from photo2anime.commands.paint_files import paint_files
    from photo2anime.images.image_io import FORMATS, WriteOptions

    suffix = f".{args.format}" if args.format else None
    options = record_of(
        PhotosOptions,
        args,
        photos=tuple(args.photos),
        styles=tuple(args.style.split(",")),
        paint=record_of(PaintOptions, args),
        load=record_of(LoadOptions, args),
        write=record_of(WriteOptions, args, format=FORMATS[suffix] if suffix else None),
        suffix=suffix,
    )
    return paint_files(options)


def _percent(text: str) -> int:
    return int(number(text, "is outside 1 to 100", 1, 100))


def _megapixels(text: str) -> float:
    return number(text, "is not a number of megapixels", 1e-6, math.inf)
