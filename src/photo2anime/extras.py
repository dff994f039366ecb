"""Packages that come with an extra: whether they are here, and what to install when they are not."""

from __future__ import annotations

from importlib.util import find_spec

from photo2anime.types import Photo2AnimeError


def missing(work: str, extra: str, *modules: str) -> str | None:
    """One line on what of the modules that work needs is not installed; None when all are. extra brings them."""
    absent = [name for name in modules if find_spec(name) is None]
    return f"{work} needs {', '.join(absent)}: pip install 'photo2anime[{extra}]'" if absent else None


def need(work: str, extra: str, *modules: str) -> None:
    """Raises Photo2AnimeError with the line of `missing`, if there is one."""
    if line := missing(work, extra, *modules):
        raise Photo2AnimeError(line)
