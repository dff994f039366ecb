"""Which styles there are: the shipped ones of styles.toml, and those the user installed, as {name: StyleCard}."""

from __future__ import annotations

import difflib
import json
import os
import sys
import tomllib
from dataclasses import asdict, replace
from functools import cache
from importlib import resources
from pathlib import Path

from photo2anime.types import Photo2AnimeError, StyleCard


@cache
def list_styles() -> dict[str, StyleCard]:
    """Every style by name, in the order they are shown: the shipped ones, then the user's by name.

    A file of the user's that is no style is left out; `installed_styles` says why. Call `list_styles.cache_clear()`
    after a change in the folder.
    """
    return shipped_styles() | installed_styles()[0]


@cache
def shipped_styles() -> dict[str, StyleCard]:
    """The styles inside the package. Their names are theirs: nothing installed later takes one."""
    text = resources.files("photo2anime").joinpath("styles.toml").read_text(encoding="utf-8")
    return {name: StyleCard(name=name, **row) for name, row in tomllib.loads(text).items()}


def styles_folder() -> Path:
    """Where installed styles lie, as NAME.toml, NAME.onnx and NAME.md: PHOTO2ANIME_HOME, else the user's data folder.

    The folder need not exist yet.
    """
    if own := os.environ.get("PHOTO2ANIME_HOME"):
        return Path(own) / "styles"
    usual = Path.home() / ("AppData/Local" if sys.platform == "win32" else ".local/share")
    data = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_DATA_HOME")
    return Path(data or usual) / "photo2anime" / "styles"


def installed_styles() -> tuple[dict[str, StyleCard], list[str]]:
    """The user's own styles by name, their `file` an absolute path; and a line for each .toml that cannot be used."""
    cards: dict[str, StyleCard] = {}
    problems: list[str] = []
    folder = styles_folder()
    for file in sorted(folder.glob("*.toml")):
        try:
            ((name, row),) = tomllib.loads(file.read_text(encoding="utf-8")).items()
            size = row.pop("fixed_size", None)
            fixed_size = (int(size[0]), int(size[1])) if size else None
            row |= {key: str(folder / row[key]) for key in ("file", "int8_file") if key in row}
            card = StyleCard(name=name, **row, fixed_size=fixed_size)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            problems.append(f"{file} is no row of one style ({error})")
            continue
        if name in shipped_styles():
            problems.append(f"{file} calls itself {name}, which is a shipped style")
        else:
            cards[name] = card
    return cards, problems


def find_style(name: str) -> StyleCard:
    """The card of an installed style. Raises Photo2AnimeError, which names the nearest one, when there is none."""
    styles = list_styles()
    if name.lower() in styles:
        return styles[name.lower()]
    near = difflib.get_close_matches(name.lower(), styles, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else "see `photo2anime styles`"
    raise Photo2AnimeError(f"no style called {name}; there are {', '.join(styles)}, or a path to an .onnx file; {hint}")


def in_int8(card: StyleCard) -> StyleCard:
    """The card of the style's 8-bit network. Raises Photo2AnimeError when it has none."""
    if card.int8_file is None:
        raise Photo2AnimeError(f"{card.name} has no 8-bit network; leave --precision out")
    return replace(card, file=card.int8_file, sha256=card.int8_sha256)


def toml_row(card: StyleCard) -> str:
    """The card as a row of styles.toml: every fact that it has."""
    facts = {key: value for key, value in asdict(card).items() if key != "name" and value is not None}
    return f"[{card.name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in facts.items())
