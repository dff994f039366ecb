"""Turns photos into anime: `Stylizer.load("hayao")(photo)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from photo2anime.batch.run import paint_files
    from photo2anime.painting.stylizer import Stylizer
    from photo2anime.styles import list_styles
    from photo2anime.types import Photo2AnimeError

__version__ = "0.7.0"
__all__ = ["Photo2AnimeError", "Stylizer", "__version__", "list_styles", "paint_files"]

_HOME = {
    "Photo2AnimeError": "types",
    "Stylizer": "painting.stylizer",
    "list_styles": "styles",
    "paint_files": "batch.run",
}


def __getattr__(name: str) -> Any:
    """Public names are imported when first used, so that `import photo2anime` costs next to nothing (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"photo2anime.{_HOME[name]}"), name)
