"""What several commands take alike: numbers with limits, how a picture is to be painted, packages of an extra."""

from __future__ import annotations

import argparse
import math
import os
from argparse import ArgumentParser, Namespace
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from photo2anime.extras import need
from photo2anime.types import DEVICES, FaceChoice, LineWeight, Precision

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Record = TypeVar("Record", bound=DataclassInstance)


def add_look_arguments(p: ArgumentParser) -> None:
    """Adds what PaintOptions and LoadOptions hold, but for the style and --side-by-side."""
    p.add_argument("--strength", type=share, default=1.0, metavar="0..1", help="1 is the full style, 0 the photo")
    p.add_argument("--keep-color", action="store_true", help="keep the photo's own colours")
    p.add_argument(
        "--faces",
        default="auto",
        choices=get_args(FaceChoice),
        help="paint each face as a portrait: in the version that suits its size (default), not at all, or all in one",
    )
    p.add_argument(
        "--face-strength", type=share, default=1.0, metavar="0..1", help="1 is the full portrait, 0 the scene's style"
    )
    p.add_argument("--max-side", type=positive, metavar="PX", help="shrink to this longer side first")
    p.add_argument("--lines", default="medium", choices=get_args(LineWeight), help="how thick lines are in the picture")
    p.add_argument(
        "--drawn-px",
        type=pixels_or_none,
        metavar="PX",
        help="paint larger photos at exactly this longer side and enlarge them again, whatever --lines says (0: never)",
    )
    p.add_argument(
        "--free", action="store_true", help="only networks free for any use, commercial too; faces like the rest"
    )
    p.add_argument(
        "--precision",
        default="auto",
        choices=get_args(Precision),
        help="of the network; auto (default): int8 where this processor is faster with it, for video the smaller fast",
    )
    p.add_argument("--device", default="auto", choices=DEVICES, help="what the networks run on")
    p.add_argument(
        "--tile",
        type=positive,
        dest="tile_px",
        metavar="PX",
        help="paint in windows of this side; default: by free memory",
    )
    p.add_argument("--threads", type=_threads, metavar="N", help="processors to use (default: all)")


class Joined(argparse.Action):
    """A flag that may be given several times: its values stand with commas between; the first replaces the default."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option_string: str | None = None
    ) -> None:
        given = [*getattr(namespace, f"{self.dest}_given", []), values]
        setattr(namespace, f"{self.dest}_given", given)
        setattr(namespace, self.dest, ",".join(given))


def add_style_argument(p: ArgumentParser) -> None:
    """Adds -s of the commands that take several styles."""
    p.add_argument(
        "-s",
        "--style",
        action=Joined,
        default="hayao",
        metavar="STYLE",
        help="a style or an .onnx file (default %(default)s); several with commas or with several -s; or all",
    )


def add_write_arguments(p: ArgumentParser) -> None:
    """Adds what WriteOptions hold, but for --overwrite, what results are called, and how large a photo may be."""
    p.add_argument(
        "-f",
        "--format",
        type=_format,
        choices=("png", "jpg", "webp", "avif", "jxl", "tiff", "bmp"),
        help="default: the photo's own",
    )
    p.add_argument(
        "--name-as",
        type=_template,
        default="{stem}-{style}{ext}",
        metavar="NAME",
        help="what results are called, from {stem}, {style} and {ext} (default '%(default)s')",
    )
    p.add_argument("-q", "--quality", type=_percent, metavar="1..100", help="of JPEG, WebP, AVIF and JPEG XL")
    p.add_argument("--strip-metadata", action="store_true", help="write no EXIF, GPS position, XMP, IPTC or text")
    p.add_argument(
        "--max-megapixels", type=_megapixels, default=300, metavar="N", help="refuse larger photos (default 300)"
    )


def examples(*lines: str) -> dict[str, Any]:
    """What add_parser takes so that examples stand at the end of --help."""
    return {
        "formatter_class": argparse.RawDescriptionHelpFormatter,
        "epilog": "\n".join(["examples:", *(f"  photo2anime {line}" for line in lines)]),
    }


def record_of(kind: type[Record], args: Namespace, **others: Any) -> Record:
    """A record of that kind, its fields out of args by their names; others: fields that args lack or call otherwise."""
    names = {field.name for field in fields(kind)}
    return kind(**{name: value for name, value in vars(args).items() if name in names} | others)


def use_threads(args: Namespace) -> None:
    """Holds what runs from here on to --threads."""
    if args.threads:
        os.environ["PHOTO2ANIME_THREADS"] = str(args.threads)


def _threads(text: str) -> int:
    return int(number(text, "is not a number of threads", 1, 4096))


def share(text: str) -> float:
    """A number from 0 to 1."""
    return number(text, "is outside 0 to 1", 0, 1)


def positive(text: str) -> int:
    """A number of pixels."""
    return int(number(text, "is not a number of pixels", 1, 1 << 31))


def pixels_or_none(text: str) -> int:
    """A number of pixels, or 0."""
    return int(number(text, "is not a number of pixels", 0, 1 << 31))


def _format(text: str) -> str:
    """PNG and .png are png, JPEG is jpg."""
    name = text.lower().removeprefix(".")
    return {"jpeg": "jpg", "tif": "tiff"}.get(name, name)


def _template(text: str) -> str:
    try:
        name = text.format(stem="a", style="b", ext=".c")
    except (KeyError, ValueError, IndexError, AttributeError):
        name = ""
    if "{stem}" not in text or not name.strip() or name.startswith("/") or ".." in name.split("/"):
        raise argparse.ArgumentTypeError(f"{text} is no name; use {{stem}}, {{style}} and {{ext}}")
    return text


def _percent(text: str) -> int:
    return int(number(text, "is outside 1 to 100", 1, 100))


def _megapixels(text: str) -> float:
    return number(text, "is not a number of megapixels", 1e-6, math.inf)


def number(text: str, wrong: str, least: float, most: float) -> float:
    """The number that text is, least to most; else argparse is told that it is not, in the words of wrong."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{text} {wrong}")
    return value


def need_torch() -> None:
    """Raises Photo2AnimeError when what training needs is not installed."""
    need("training", "train", "torch", "onnx", "safetensors")


def names_in(text: str) -> tuple[str, ...]:
    """Names with commas between them."""
    return tuple(name for name in text.split(",") if name)
