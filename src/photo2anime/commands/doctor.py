"""`photo2anime doctor`: what is installed, what works, how fast it is, and what to mend."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from photo2anime import __version__
from photo2anime.images import jxl, raw
from photo2anime.styles import in_fast, in_int8, installed_styles, list_styles
from photo2anime.types import Photo2AnimeError

_PACKAGES = ("numpy", "onnxruntime", "pillow", "pillow-heif", "psutil")
_EXTRAS = {  # extra: (the package that tells, what wants it)
    "video": ("av", "videos"),
    "app": ("gradio", "the web page and the HTTP API"),
    "train": ("torch", "training"),
    "cluster": ("ray", "`batch` on several machines"),
    "completion": ("shtab", "completion in the shell"),
}
_RUNTIMES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml")
_LOW_MEMORY_GIB = 1.0
_SPEED_CHECK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. mend: what to do about it; None when it is well."""

    line: str
    mend: str | None = None


def examine() -> Iterator[Finding]:
    """Every finding, in the order it is found out; takes a few seconds."""
    yield Finding(f"photo2anime {__version__}, Python {platform.python_version()}, {platform.platform()}")
    yield from _packages()
    yield from _devices()
    yield from _styles()
    yield _memory()
    yield _speed()


def _packages() -> Iterator[Finding]:
    for name in _PACKAGES:
        found = _version(name)
        yield Finding(f"{name} {found or 'is missing'}", None if found else f"pip install {name}")
    runtimes = [name for name in _RUNTIMES if _version(name)]
    if len(runtimes) > 1:
        yield Finding(f"{' and '.join(runtimes)} hide each other", "pip uninstall all of them, then install one")
    for extra, (name, user) in _EXTRAS.items():
        found = _version(name)
        missing = f"{name} is not installed: only {user} wants it, pip install 'photo2anime[{extra}]'"
        yield Finding(f"{name} {found}, for {user}" if found else missing)
    for kind, lacking in (("JPEG XL", jxl.lacking()), ("RAW photos", raw.lacking())):
        yield Finding(lacking or f"{kind}: can be read")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _devices() -> Iterator[Finding]:
    from photo2anime.inference.runtime import cpu_threads, offered_devices
    from photo2anime.painting.stylizer import Stylizer

    for device in offered_devices():
        try:
            Stylizer.load(device=device)
        except Photo2AnimeError as error:
            yield Finding(f"device {device}: {error}", "install the driver, or leave --device out")
        else:
            threads = f", {cpu_threads()} threads" if device == "cpu" else ""
            yield Finding(f"device {device}: works{threads}")


def _styles() -> Iterator[Finding]:
    from photo2anime.inference.weights import how_to_mend, local_file

    styles = list_styles().values()
    kinds = [("", card) for card in styles] + [(" in 8 bits", in_int8(card)) for card in styles if card.int8_file]
    kinds += [(" for video", in_fast(card)) for card in styles if card.fast_file]
    for kind, card in kinds:
        try:
            file = local_file(card)
        except Photo2AnimeError as error:
            yield Finding(f"style {card.name}{kind}: {error}", how_to_mend(card))
        else:
            size = file.stat().st_size / 1e6
            right = f"sha256 {str(card.sha256)[:12]}.. is right"
            yield Finding(f"style {card.name}{kind}: {card.file}, {size:.1f} MB, {right}")
    for problem in installed_styles()[1]:
        yield Finding(problem, "if it names a file, import that style again or delete the file; else mend the folder")


def _memory() -> Finding:
    import psutil

    memory = psutil.virtual_memory()
    free = memory.available / 2**30
    line = f"memory: {free:.1f} of {memory.total / 2**30:.1f} GiB free"
    return Finding(line, "close some programs, or give a smaller --tile" if free < _LOW_MEMORY_GIB else None)


def _speed() -> Finding:
    from photo2anime.painting.stylizer import Stylizer

    try:
        stylizer = Stylizer.load()
    except Photo2AnimeError as error:
        return Finding(f"speed: not measured, {error}", "mend what is told above first")
    photo = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)
    stylizer.paint(photo)
    times: list[float] = []
    while sum(times) < _SPEED_CHECK_SECONDS:
        started = time.perf_counter()
        stylizer.paint(photo)
        times.append(time.perf_counter() - started)
    best = min(times)
    estimate = best * 12e6 / photo[..., 0].size
    return Finding(
        f"speed: 512x512 in {best * 1e3:.0f} ms on {stylizer.device}; 12 megapixels in about {estimate:.0f} s"
    )
