"""styles.toml -> {name: StyleCard}."""

from __future__ import annotations

import difflib
import tomllib
from functools import cache
from importlib import resources

from photo2anime.types import Photo2AnimeError, StyleCard


@cache
def list_styles() -> dict[str, StyleCard]:
    """Every installed style by name, in the order they are shown."""
    text = resources.files("photo2anime").joinpath("styles.toml").read_text(encoding="utf-8")
    return {name: StyleCard(name=name, **row) for name, row in tomllib.loads(text).items()}


def find_style(name: str) -> StyleCard:
    """The card of an installed style. Raises Photo2AnimeError, which names the nearest one, when there is none."""
    styles = list_styles()
    if name.lower() in styles:
        return styles[name.lower()]
    near = difflib.get_close_matches(name.lower(), styles, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else "see `photo2anime styles`"
    raise Photo2AnimeError(f"no style called {name}; there are {', '.join(styles)}, or a path to an .onnx file; {hint}")
