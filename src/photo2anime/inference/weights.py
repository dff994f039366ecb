"""StyleCard -> its .onnx file on this machine, checked by SHA-256."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path

from photo2anime.styles import shipped_styles
from photo2anime.types import Photo2AnimeError, StyleCard

BUNDLES = Path(str(resources.files("photo2anime"))) / "bundles"


def local_file(card: StyleCard) -> Path:
    """The style's network file, its sha256 checked. Raises Photo2AnimeError when it is missing or another."""
    file = BUNDLES / card.file  # an installed style's path is absolute, and stays so
    if not file.is_file():
        raise Photo2AnimeError(f"{file} of style {card.name} is missing; {how_to_mend(card)}")
    if (found := sha256(file)) != card.sha256:
        raise Photo2AnimeError(
            f"{file} is not the file that was {'shipped' if card.name in shipped_styles() else 'installed'} "
            f"(sha256 {found[:12]}.., expected {str(card.sha256)[:12]}..); {how_to_mend(card)}"
        )
    return file


def bundled(name: str, checksum: str) -> Path:
    """A network of the package itself. Raises Photo2AnimeError when it is missing or another."""
    file = BUNDLES / name
    if not file.is_file() or sha256(file) != checksum:
        raise Photo2AnimeError(f"{file} is missing or not the file that was shipped; install photo2anime again")
    return file


def how_to_mend(card: StyleCard) -> str:
    """The command that restores a style's file."""
    if card.name in shipped_styles():
        return "install photo2anime again: pip install --force-reinstall photo2anime"
    return f"bring it in again: photo2anime import FILE --name {card.name} --replace"


def sha256(file: Path) -> str:
    """The file's checksum, in hexadecimal."""
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
