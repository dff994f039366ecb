"""The pages of the documentation's site that are made of other things: README.md, parser, API, gallery."""

from __future__ import annotations

import csv
import os
import re
import tomllib
from argparse import SUPPRESS, Action, ArgumentParser
from html import escape
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
MOVED = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "spaces/README.md": "spaces.md"}
LEFT_OUT = {"docs/log.md"}  # the lab book is for those who work on the code
_GALLERY = """---
hide: [navigation]
---
# Gallery

Ten photos in every style, as the command paints them without an option. Those marked ° are in the list of photos that
the free styles learned from. The pictures are under their photo's licence; those by the portrait and -v2 styles, and
faces in the free ones, are for non-commercial use, as [the cards](cards/portrait.md) say."""
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)


def place_of(file: str) -> str | None:
    """Where a file of the repository stands in the site; None when it does not."""
    if file in LEFT_OUT or not (ROOT / file).is_file():
        return None
    return file.removeprefix("docs/") if file.startswith("docs/") else MOVED.get(file)


def page_of(file: str) -> str:
    """A Markdown file of the repository as a page. Links lead to pages; those to what is not here become words."""
    here = os.path.dirname(place_of(file) or "") or "."

    def moved(link: re.Match[str]) -> str:
        words, (path, mark, anchor) = link[1], link[2].partition("#")
        if not path or "://" in path:
            return link[0]
        place = place_of(os.path.normpath(os.path.join(os.path.dirname(file), path)))
        return f"[{words}]({os.path.relpath(place, here)}{mark}{anchor})" if place else words

    text = (ROOT / file).read_text(encoding="utf-8")
    return _LINK.sub(moved, _FRONT_MATTER.sub("", text))


def made_pages() -> dict[str, str]:
    """Every page that stands nowhere in docs/, by its name there."""
    pages = {place: page_of(file) for file, place in MOVED.items()}
    return pages | {"commands.md": command_reference(), "api.md": api_reference(), "gallery.md": gallery()}


def command_reference() -> str:
    """Every command with its options, as the parser has them."""
    from photo2anime.cli import parser_and_commands

    parts = [
        "# Commands",
        "`photo2anime help COMMAND` says the same. `photo2anime photo.jpg` is `paint`, `photo2anime a.mp4` is `video`.",
    ]
    for name, command in parser_and_commands()[1].items():
        parts += [f"## {name}", *_command(command)]
    return "\n\n".join(parts) + "\n"


def _command(command: ArgumentParser) -> list[str]:
    parts = [escape(command.description, quote=False)] if command.description else []
    words = [f"{_value(one)}{' ..' if one.nargs == '+' else ''}" for one in command._get_positional_actions()]
    parts.append(f"```text\n{' '.join([command.prog, '[OPTIONS]', *words])}\n```")
    for group in command._action_groups:
        rows = [_row(command, one) for one in group._group_actions if one.help != SUPPRESS and one.dest != "help"]
        if rows:
            title = str(group.title).removeprefix("positional ")
            parts.append("\n".join([f"| {title} | |", "|---|---|", *rows]))
    if command.epilog:
        parts.append(f"```sh\n{_examples(command.epilog)}\n```")
    return parts


def _row(command: ArgumentParser, action: Action) -> str:
    names = [f"{option} {_value(action)}".strip() for option in action.option_strings] or [_value(action)]
    meaning = (action.help or "") % (vars(action) | {"prog": command.prog})
    return f"| {'<br>'.join(map(_code, names))} | {_in_cell(meaning)} |"


def _value(action: Action) -> str:
    """What stands for the value of an option, or for an argument; nothing for a flag."""
    choices = f"{{{','.join(map(str, action.choices))}}}" if action.choices else None
    return "" if action.nargs == 0 else str(action.metavar or choices or action.dest.upper())


def _code(text: str) -> str:
    return f"<code>{_in_cell(text)}</code>"


def _in_cell(text: str) -> str:
    return escape(text, quote=False).replace("|", "&#124;").replace("*", "&#42;")


def _examples(epilog: str) -> str:
    return "\n".join(line.strip() for line in epilog.splitlines() if line.startswith("  "))


def api_reference() -> str:
    """The HTTP API, as a server's own /docs shows it."""
    from photo2anime.web.api.docs_page import reference
    from photo2anime.web.api.routes import build_api
    from photo2anime.web.server.services import Services
    from photo2anime.web.settings import Settings

    services = Services(Settings())
    try:
        body = reference(build_api(services).openapi())
    finally:
        services.close()
        services.storage.remove()
    return f"# HTTP API\n\n`photo2anime serve` answers it, and shows this at `/docs` too.\n\n{body}\n"


def gallery() -> str:
    """Every photo of docs/gallery/photos.toml in every style, with its author and licence."""
    from photo2anime import list_styles

    parts = [_GALLERY]
    for photo in tomllib.loads((DOCS / "gallery" / "photos.toml").read_text(encoding="utf-8"))["photo"]:
        name, listed = photo["name"], _listed(photo)
        pictures = {"photo": name} | {style: f"{name}-{style}" for style in list_styles()}
        figures = [_figure(f"{photo['title']}, {title}", title, file) for title, file in pictures.items()]
        parts += [f"## {photo['title']}{' °' if listed else ''}", credit(photo)]
        parts.append("\n\n".join(['<div class="gallery" markdown>', *figures, "</div>"]))
    return "\n\n".join(parts) + "\n"


def _figure(alt: str, title: str, name: str) -> str:
    picture = f"[![{alt}](gallery/{name}.webp){{ loading=lazy }}](gallery/{name}.webp)"
    return f'<figure markdown="span">\n{picture}\n<figcaption>{title}</figcaption>\n</figure>'


def credit(photo: dict[str, str]) -> str:
    """Who made the photo, where it is from, and its licence, as the repository says elsewhere."""
    if "file" in photo:
        file = ROOT / photo["file"]
        rows = (file.parent / "LICENSES.md").read_text(encoding="utf-8").splitlines()
        _, _, source, licence = next(row for row in rows if f"`{file.name}`" in row).strip("| ").split(" | ")
        return f"{source}. {licence}."
    row = _listed(photo)
    assert row is not None, f"{photo['name']} is not in docs/cards/photos.tsv"
    return f"{row['author'] or 'Author not named'}; `{row['path']}` in {row['source']}. {row['licence']}."


def _listed(photo: dict[str, str]) -> dict[str, str] | None:
    """The photo's row in the list of those that the free styles learned from."""
    place = photo.get("source"), photo.get("path")
    with (DOCS / "cards" / "photos.tsv").open(encoding="utf-8", newline="") as table:
        rows = csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE)
        return next((row for row in rows if (row["source"], row["path"]) == place), None)
