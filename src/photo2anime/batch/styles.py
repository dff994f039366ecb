"""The styles of a batch, looked up once by the driver."""

from __future__ import annotations

import json
import os
from dataclasses import asdict

from photo2anime.batch.records import BatchStyle
from photo2anime.batch.worker import model_sha256
from photo2anime.images.image_io import WriteOptions
from photo2anime.inference.runtime import prefers_int8
from photo2anime.options import BatchOptions
from photo2anime.painting import portraits
from photo2anime.painting.stylizer import Stylizer
from photo2anime.styles import find_style, list_styles, offered_styles
from photo2anime.types import Photo2AnimeError, Precision


def look_up(options: BatchOptions, device: str) -> tuple[BatchStyle, ...]:
    """The styles that were asked for, each once. Raises Photo2AnimeError when one cannot be had, or none was named."""
    names: dict[str, None] = {}
    for name in (part.strip() for part in options.styles):
        offered = offered_styles(free=options.load.free) if name.lower() == "all" else [name]
        names |= dict.fromkeys(filter(None, offered))
    if not names:
        raise Photo2AnimeError("no style was given; see `photo2anime styles`")
    styles = tuple(_style(name, options, device) for name in names)
    if len({style.name for style in styles}) < len(styles):
        raise Photo2AnimeError(f"two styles have one name: {', '.join(style.asked for style in styles)}")
    return styles


def _style(asked: str, options: BatchOptions, device: str) -> BatchStyle:
    if asked.lower().endswith(".onnx"):
        asked = os.path.abspath(asked)
    precision = _precision(asked, options.load.precision, device)
    stylizer = Stylizer.load(asked, device="cpu", precision=precision, free=options.load.free)
    portraits.check_choice(options.paint.faces, stylizer.face_painters)
    return BatchStyle(asked, stylizer.card.name, precision, model_sha256(stylizer), _recipe(stylizer, options))


def _precision(asked: str, precision: Precision, device: str) -> Precision:
    """What "auto" means, decided here for all machines."""
    if precision != "auto":
        return precision
    return "int8" if not os.path.isabs(asked) and find_style(asked).int8_file and prefers_int8(device) else "float32"


def _recipe(stylizer: Stylizer, options: BatchOptions) -> str:
    """All but the input and the network that decides how a result looks and is written."""
    paint = {name: value for name, value in asdict(options.paint).items() if name != "style"}
    faces = [list_styles()[portraits.STYLES[version]].sha256 for version in sorted(stylizer.face_painters)]
    if options.paint.faces == "off" or options.paint.face_strength == 0:
        faces = []
    write = asdict(options.write or WriteOptions())
    facts = [paint, faces, stylizer.card.grade, write, options.suffix, options.name_as]
    return json.dumps(facts, sort_keys=True)
