"""Writes the manual page, man/photo2anime.1, from the command's own parser: `make man`, when a flag has changed."""

from __future__ import annotations

import os
import re
from pathlib import Path

from argparse_manpage.manpage import Manpage

from photo2anime import __version__
from photo2anime.cli import parser_and_commands

PAGE = Path(__file__).parent.parent / "man" / "photo2anime.1"
FILES = "~/.config/photo2anime/config.toml: what flags are where the command line does not say"
ENVIRONMENT = "PHOTO2ANIME_FLAG, as in PHOTO2ANIME_STYLE=shinkai: the same; it comes before the file"
EXIT_STATUS = "0: all done.  1: some inputs failed, each named with the reason.  2: bad usage."

_MISTAKEN = re.compile(r"^(?='|\.(?!(?:TH|SH|TP|B|nf|fi)\b))", re.MULTILINE)  # text that roff takes for a request


def manual() -> str:
    """The page as roff."""
    os.environ["COLUMNS"] = "80"  # where usage lines break
    parser, commands = parser_and_commands()
    page = Manpage(parser)
    page.date, page.source, page.manual = "", f"photo2anime {__version__}", "User Commands"
    page.description = "paint photos and videos as anime, offline"
    shown = [line.strip() for command in commands.values() for line in (command.epilog or "").splitlines()[1:]]
    page.add_section("examples", "=", "\n".join([".nf", *map(_plain, shown), ".fi"]))
    for heading, text in (("files", FILES), ("environment", ENVIRONMENT), ("exit status", EXIT_STATUS)):
        page.add_section(heading, "=", _plain(text))
    return _MISTAKEN.sub(r"\\&", str(page))


def _plain(text: str) -> str:
    """Text that roff takes for nothing else."""
    return "\\&" + text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti")


if __name__ == "__main__":
    PAGE.write_text(manual(), encoding="utf-8")
    print(PAGE)
