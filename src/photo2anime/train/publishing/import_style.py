"""Installs other people's networks as styles: AnimeGANv2 checkpoints and ONNX files."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from photo2anime.inference.runtime import TRIAL_SECONDS, OnnxNetwork
from photo2anime.inference.weights import sha256
from photo2anime.styles import installed_styles, list_styles, shipped_styles, styles_folder, toml_row
from photo2anime.train.publishing.file_type import seems_to_be
from photo2anime.types import Batch, Photo2AnimeError, StyleCard

Upsampling = Literal["align-corners", "half-pixel"]

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_NOT_NAMES = {"all"}  # `paint -s all`
_TRIED_PX = 128  # a new network has to paint a square of this side before it is installed
_TRUSTED_LEVEL = 2.0  # answers beyond this are not in [-1, 1]


@dataclass(frozen=True, slots=True)
class StyleImport:
    """What to install: a file, the name it gets, and what is known of it.

    license: of the weights; empty is what the file says of itself, else unknown. upsampling: how a PyTorch AnimeGANv2
    checkpoint doubles sizes; not used for ONNX files, which hold it inside. replace: an installed style of that name
    gives way. int8: the network's 8-bit twin, which `photo2anime export --int8` wrote.
    """

    source: Path
    name: str
    upsampling: Upsampling | None = None
    description: str = ""
    license: str = ""
    replace: bool = False
    int8: Path | None = None


def import_style(wish: StyleImport) -> StyleCard:
    """The card of the style that was installed; NAME.onnx, NAME.toml and NAME.md now lie in the user's style folder.

    Takes an .onnx network from pictures to pictures, or the state dict of the AnimeGANv2 generator as
    bryandlee/animegan2-pytorch published it (torch.save or safetensors), or a TensorFlow checkpoint of AnimeGANv2 when
    TensorFlow is installed. A file appears in the folder only after its network has painted a test square. Raises
    Photo2AnimeError for a name that is taken or no name, and for a file that is something else: it says what.
    """
    _check_name(wish)
    folder = styles_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"{folder} cannot be made ({error.strerror})"
        raise Photo2AnimeError(f"{reason}; set PHOTO2ANIME_HOME to a folder that you may write to") from error
    with tempfile.TemporaryDirectory(dir=folder, prefix=".import-") as temporary:
        staged = Path(temporary) / f"{wish.name}.onnx"
        if wish.source.suffix.lower() == ".onnx":
            card, origin = _stage_onnx(wish, staged)
        else:
            card, origin = _stage_animeganv2(wish, staged)
        _try(staged, card)
        card = replace(card, sha256=sha256(staged))
        if wish.int8:
            twin = staged.with_name(f"{wish.name}-int8.onnx")
            shutil.copyfile(wish.int8, twin)
            card = replace(card, int8_file=twin.name, int8_sha256=sha256(twin))
            os.replace(twin, folder / twin.name)
        staged.with_suffix(".toml").write_text(toml_row(card), encoding="utf-8")
        staged.with_suffix(".md").write_text(_card_text(card, origin), encoding="utf-8")
        for suffix in (".md", ".onnx", ".toml"):  # the row last: without it there is no style
            os.replace(staged.with_suffix(suffix), folder / f"{wish.name}{suffix}")
    list_styles.cache_clear()
    return list_styles()[wish.name]


def _check_name(wish: StyleImport) -> None:
    if not _NAME.fullmatch(wish.name) or wish.name in _NOT_NAMES:
        raise Photo2AnimeError(
            f"{wish.name!r} cannot be a style's name; use up to 40 of a-z, 0-9, - and _, the first a letter or a digit"
        )
    if wish.name in shipped_styles():
        raise Photo2AnimeError(f"{wish.name} is a shipped style and stays what it is; choose another --name")
    if wish.name in installed_styles()[0] and not wish.replace:
        raise Photo2AnimeError(f"there is a style called {wish.name}; choose another --name, or give --replace")
    if not wish.source.exists() and not wish.source.with_name(wish.source.name + ".index").exists():
        raise Photo2AnimeError(f"{wish.source}: no such file; check the name and the folder")
    if wish.source.exists() and not wish.source.is_file():
        kind = (
            seems_to_be(wish.source) if wish.source.is_dir() else "; it is a pipe or a device: save it as a file first"
        )
        raise Photo2AnimeError(f"{wish.source} cannot be brought in{kind}")


def _stage_onnx(wish: StyleImport, staged: Path) -> tuple[StyleCard, str]:
    """The network copied, its facts read or found out from the copy: weights it keeps in other files do not come."""
    if wish.upsampling:
        raise Photo2AnimeError("--upsampling is for PyTorch checkpoints; an .onnx file holds its own, leave it out")
    shutil.copyfile(wish.source, staged)
    try:
        found = OnnxNetwork(staged, device="cpu").card
    except Photo2AnimeError as error:
        raise Photo2AnimeError(str(error).replace(str(staged), str(wish.source)) + seems_to_be(wish.source)) from error
    card = replace(
        found,
        name=wish.name,
        file=staged.name,
        description=wish.description or found.description,
        license=wish.license or found.license,
    )
    return card, f"the ONNX file {wish.source.name}, sha256 {sha256(wish.source)}, unchanged"


def _stage_animeganv2(wish: StyleImport, staged: Path) -> tuple[StyleCard, str]:
    """The published generator with the file's weights, exported to ONNX and checked against PyTorch."""
    from photo2anime.train.networks.animeganv2 import AnimeGANv2Generator
    from photo2anime.train.publishing.animeganv2_weights import generator_state
    from photo2anime.train.publishing.export import write_checked

    if wish.upsampling is None:
        raise Photo2AnimeError(
            "a checkpoint does not say how its network doubles sizes, and the two ways give different pictures; add "
            "--upsampling align-corners (what animegan2-pytorch's network does by itself) or --upsampling half-pixel "
            "(what its test.py does)"
        )
    generator = AnimeGANv2Generator(align_corners=wish.upsampling == "align-corners")
    generator.load_state_dict(generator_state(wish.source))
    card = StyleCard(
        name=wish.name,
        file=staged.name,
        description=wish.description or f"AnimeGANv2 generator from {wish.source.name}",
        multiple_of=generator.multiple_of,
    )
    card = replace(card, license=wish.license or card.license)
    worst = write_checked(generator, card, staged)
    origin = (
        f"the checkpoint {wish.source.name}, upsampling {wish.upsampling}; PyTorch against ONNX Runtime: {worst:.4f} "
    )
    return card, origin + "grey levels at most"


def _try(staged: Path, card: StyleCard) -> None:
    """Raises Photo2AnimeError when the network does not answer a square of noise with a picture in [-1, 1]."""
    height, width = card.fixed_size or (_TRIED_PX, _TRIED_PX)
    photo: Batch = np.random.default_rng(0).uniform(-1, 1, (1, 3, height, width)).astype(np.float32)
    anime = OnnxNetwork(staged, device="cpu", card=card, seconds=TRIAL_SECONDS)(photo)
    if anime.shape != photo.shape:
        raise Photo2AnimeError(f"the network answers {photo.shape} with {anime.shape}; a style keeps the size")
    if not np.isfinite(anime).all():
        raise Photo2AnimeError("the network answers with values that are no numbers; its training may have broken off")
    if (largest := float(np.abs(anime).max())) > _TRUSTED_LEVEL:
        raise Photo2AnimeError(f"the network answers with values up to {largest:.4g}; styles here work in -1 to 1")


def _card_text(card: StyleCard, origin: str) -> str:
    return (
        f"# {card.name}\n\n{card.description}\n\n## Origin\n\nMade by `photo2anime import` from {origin}.\n\n"
        f"## Facts\n\n{toml_row(card)}\n## Licence\n\n{card.license}\n\n"
        f"Not trained or judged by photo2anime. To remove it, delete {card.name}.toml, .onnx and .md in this folder.\n"
    )
