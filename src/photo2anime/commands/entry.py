"""What a user types before the command's own parser sees it: a photo alone, `help`, a word that is none."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Collection, Sequence

from photo2anime.commands.video import is_video
from photo2anime.types import Photo2AnimeError

WELCOME = """photo2anime turns photos and videos into anime, on your own computer.

  photo2anime photo.jpg                    paint a photo: photo-hayao.jpg
  photo2anime photo.jpg -s all             in every style (`photo2anime styles` lists them)
  photo2anime face.jpg -s portrait-v1      a portrait, drawn
  photo2anime holiday/ -o painted/         all photos in a folder
  photo2anime clip.mp4                     a video, with its sound
  photo2anime serve                        the web page, for your browser

`photo2anime help` shows everything, `photo2anime help paint` one command.
"""
_ASKS = {"-h", "--help", "-V", "--version"}


def completed(words: Sequence[str], commands: Collection[str]) -> list[str]:
    """The words with the command that is meant: `photo.jpg` is `paint photo.jpg`, `clip.mp4` is `video clip.mp4`, `help
    X` is `X --help`. Raises Photo2AnimeError for a word that is neither a command nor a file.
    """
    first, *rest = words
    if first in commands or first in _ASKS:
        return list(words)
    if first == "help":
        if rest and rest[0] not in commands:
            raise Photo2AnimeError(f"{rest[0]} is no command; {_hint(rest[0], commands)}")
        return [*rest[:1], "--help"]
    files = [word for word in words if word == "-" or os.path.lexists(word) or _looks_like_a_file(word)]
    if not files:
        raise Photo2AnimeError(f"{first} is neither a command nor a file; {_hint(first, commands)}")
    return ["video" if all(map(is_video, files)) else "paint", *words]


def _hint(word: str, commands: Collection[str]) -> str:
    near = difflib.get_close_matches(word, commands, n=1)
    return f"did you mean {near[0]}?" if near else "see `photo2anime help`"


def _looks_like_a_file(word: str) -> bool:
    return not word.startswith("-") and (re.search(r"\.\w{2,5}$", word) is not None or os.sep in word)
