"""Which styles there are: the shipped ones of styles.toml, and those the user installed, as {name: StyleCard}."""

from __future__ import annotations

import difflib
import json
import os
import sys
import tomllib
from dataclasses import asdict, fields, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import get_args

from photo2anime.types import Photo2AnimeError, StyleCard, Tiling


@cache
def list_styles() -> dict[str, StyleCard]:
    """Every style by name, in the order they are shown: the shipped ones, then the user's by name.

    A file of the user's that is no style is left out; `installed_styles` says why. Call `list_styles.cache_clear()`
    after a change in the folder.
    """
    return shipped_styles() | installed_styles()[0]


def offered_styles(*, free: bool) -> list[str]:
    """What `all` means: the names of every style, with free only of those that are free for any use."""
    return [name for name, card in list_styles().items() if card.free or not free]


@cache
def shipped_styles() -> dict[str, StyleCard]:
    """The styles inside the package. Their names are theirs: nothing installed later takes one."""
    text = resources.files("photo2anime").joinpath("styles.toml").read_text(encoding="utf-8")
    return {name: StyleCard(name=name, **row) for name, row in tomllib.loads(text).items()}


def styles_folder() -> Path:
    """Where installed styles lie, as NAME.toml, NAME.onnx and NAME.md: PHOTO2ANIME_HOME, else the user's data folder.

    The folder need not exist yet. Raises Photo2AnimeError when this user has no home.
    """
    if own := os.environ.get("PHOTO2ANIME_HOME"):
        return Path(own) / "styles"
    if data := os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_DATA_HOME"):
        return Path(data) / "photo2anime" / "styles"
    try:
        home = Path.home()
    except RuntimeError:  # neither HOME nor an entry in the list of users, as containers have it
        raise Photo2AnimeError("this user has no home folder for styles; set PHOTO2ANIME_HOME to a folder") from None
    return home / ("AppData/Local" if sys.platform == "win32" else ".local/share") / "photo2anime" / "styles"


def installed_styles() -> tuple[dict[str, StyleCard], list[str]]:
    """The user's own styles by name, their `file` an absolute path; and a line for each .toml that cannot be used.

    A folder that cannot be read, or a user without a home, is a line too: the shipped styles work all the same.
    """
    cards: dict[str, StyleCard] = {}
    problems: list[str] = []
    try:
        folder = styles_folder()
        files = sorted(Path(entry.path) for entry in os.scandir(folder) if entry.name.endswith(".toml"))
    except (FileNotFoundError, NotADirectoryError):  # nothing was installed yet
        return cards, problems
    except Photo2AnimeError as error:
        return cards, [str(error)]
    except OSError as error:
        return cards, [f"{folder} cannot be read ({error.strerror}), so your own styles are missing"]
    for file in files:
        try:
            card = _card_of(file)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            problems.append(f"{file} is no row of one style ({error})")
            continue
        if card.name in shipped_styles():
            problems.append(f"{file} calls itself {card.name}, which is a shipped style")
        else:
            cards[card.name] = card
    return cards, problems


def _card_of(file: Path) -> StyleCard:
    """The style whose row file holds. Raises what tomllib does, or ValueError, TypeError, ..., for anything else."""
    ((name, row),) = tomllib.loads(file.read_text(encoding="utf-8")).items()
    size = row.pop("fixed_size", None)
    fixed_size = (int(size[0]), int(size[1])) if size else None
    card = StyleCard(name=name, **row, fixed_size=fixed_size)
    for fact in fields(StyleCard):
        value, usual = getattr(card, fact.name), fact.default
        wanted = type(usual) if isinstance(usual, (bool, int)) else str
        if value is not None and fact.name != "fixed_size" and type(value) is not wanted:
            raise ValueError(f"{fact.name} is {value!r}")
    least = min(card.multiple_of, card.max_side, card.bytes_per_px, card.halo + 1, *(fixed_size or (1,)))
    if least < 1 or card.tiling not in get_args(Tiling) or card.layout not in ("NCHW", "NHWC"):
        raise ValueError("its facts cannot be")
    if any(Path(own).name != own for own in (card.file, card.int8_file, card.fast_file) if own is not None):
        raise ValueError("its network lies in another folder")
    paths = {key: str(file.parent / own) for key in ("file", "int8_file", "fast_file") if (own := getattr(card, key))}
    return replace(card, **paths)  # type: ignore[arg-type]


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


def in_fast(card: StyleCard) -> StyleCard:
    """The card of the style's smaller network for video; where it has none, of its 8-bit one; else the card."""
    if card.fast_file is not None:
        return replace(card, file=card.fast_file, sha256=card.fast_sha256)
    return card if card.int8_file is None else in_int8(card)


def toml_row(card: StyleCard) -> str:
    """The card as a row of styles.toml: every fact that it has."""
    facts = {key: value for key, value in asdict(card).items() if key != "name" and value is not None}
    return f"[{card.name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in facts.items())
