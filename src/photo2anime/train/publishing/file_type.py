"""Guesses what an unusable file is from its first bytes, for error messages."""

from __future__ import annotations

import zipfile
from pathlib import Path

_BEGINNINGS = (  # how files of other kinds begin
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself: download the file it stands for"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"\x89HDF", "a Keras or HDF5 file"),
    (b"<", "a web page or XML, not a download: look at it in a text editor"),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
)


def seems_to_be(file: Path) -> str:
    """Gives "; it seems to be .." for a file whose beginning or inside is known, else nothing."""
    if file.is_dir():
        return "; it is a folder: name the file in it"
    with open(file, "rb") as opened:
        start = opened.read(64)
    if not start:
        return "; it is empty: copy or download it again"
    for beginning, kind in _BEGINNINGS:
        if start.startswith(beginning):
            return f"; it seems to be {kind}"
    if start[4:8] == b"TFL3":
        return "; it seems to be a TensorFlow Lite model: convert it to ONNX first (tf2onnx)"
    if file.suffix == ".pb":
        return "; it seems to be a TensorFlow graph: convert it to ONNX first (tf2onnx)"
    return _kind_of_archive(file) if zipfile.is_zipfile(file) else ""


def _kind_of_archive(file: Path) -> str:
    try:
        with zipfile.ZipFile(file) as archive:  # its list of names is read, nothing is unpacked
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return "; it seems to be a damaged zip archive: copy or download it again"
    if any(name.endswith("/constants.pkl") for name in names):
        return "; it seems to be a TorchScript program: save its state_dict instead"
    if not any(name.endswith("/data.pkl") for name in names):
        return "; it seems to be a zip archive: unpack it first"
    return "; it seems to be a PyTorch checkpoint"
