"""StyleCard -> the verified .onnx file on this machine."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path

from photo2anime.types import Photo2AnimeError, StyleCard

BUNDLES = Path(str(resources.files("photo2anime"))) / "bundles"


def local_file(card: StyleCard) -> Path:
    """The style's network file, its sha256 checked. Raises Photo2AnimeError when it is missing or another."""
    file = BUNDLES / card.file
    if not file.is_file():
        raise Photo2AnimeError(f"{file} of style {card.name} is missing; install photo2anime again")
    if (found := sha256(file)) != card.sha256:
        raise Photo2AnimeError(
            f"{file} is not the file that was shipped (sha256 {found[:12]}.., expected {str(card.sha256)[:12]}..); "
            "install photo2anime again"
        )
    return file


def sha256(file: Path) -> str:
    """The file's checksum, in hexadecimal."""
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
