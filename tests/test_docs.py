"""The documentation: what is made for its site, the gallery's pictures and licences, the examples that it gives."""

from __future__ import annotations

import re
import shutil
import sys
import tomllib
from argparse import SUPPRESS
from pathlib import Path

import pytest

from conftest import ROOT
from photo2anime import list_styles
from photo2anime.cli import parser_and_commands

sys.path.insert(0, str(ROOT / "scripts"))
from docs_pages import DOCS, LEFT_OUT, api_reference, command_reference, credit, gallery, made_pages, page_of
from docs_site import fetched_elsewhere, lay_out

GALLERY = DOCS / "gallery"
PHOTOS = tomllib.loads((GALLERY / "photos.toml").read_text(encoding="utf-8"))["photo"]
MOST_BYTES = 2_000_000
WRITTEN = [ROOT / "README.md", *sorted(file for file in DOCS.glob("*.md") if f"docs/{file.name}" not in LEFT_OUT)]


def test_every_option_of_every_command_stands_in_the_reference() -> None:
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", command_reference(), flags=re.M | re.S))
    commands = parser_and_commands()[1]
    assert list(sections) == list(commands)
    for name, command in commands.items():
        for action in command._actions:
            if action.help != SUPPRESS and action.dest != "help":
                assert action.help, f"{name}: {action.dest} says nothing"
                assert all(f"<code>{option}" in sections[name] for option in action.option_strings)


def test_the_api_stands_on_a_page_of_its_own() -> None:
    page = api_reference()
    assert "/api/paint" in page and "number from 0 to 1; default 1.0" in page and "fine, medium, broad" in page


def test_the_gallery_shows_every_style_and_stays_small() -> None:
    wanted = {photo["name"] for photo in PHOTOS} | {f"{p['name']}-{style}" for p in PHOTOS for style in list_styles()}
    pictures = list(GALLERY.glob("*.webp"))
    assert len(PHOTOS) == 10 and {file.stem for file in pictures} == wanted, "run scripts/gallery.py"
    assert sum(file.stat().st_size for file in pictures) < MOST_BYTES
    assert all(f"(gallery/{file.name})" in gallery() for file in pictures)


@pytest.mark.parametrize("photo", PHOTOS, ids=lambda photo: photo["name"])
def test_the_gallerys_photos_may_be_painted_and_passed_on(photo: dict[str, str]) -> None:
    told = credit(photo)
    assert re.search(r"\b(CC0(-1\.0)?|CC-BY-[\d.]+|CC BY [\d.]+|public domain|LicenseRef-PublicDomain)\b", told), told


def test_links_lead_to_pages_and_what_is_not_in_the_site_is_only_named() -> None:
    start = page_of("README.md")
    assert "](cards/cel.md)" in start and "](contributing.md)" in start and "](images/page.png)" in start
    assert "docs/log.md what was tried" in start
    assert "](photos.tsv)" in page_of("docs/cards/cel.md")  # relative to the page
    assert "sdk: docker" not in page_of("spaces/README.md")


def test_every_page_is_laid_out_but_the_lab_book(tmp_path: Path) -> None:
    lay_out(tmp_path / "pages")
    pages = {file.relative_to(tmp_path / "pages").as_posix() for file in (tmp_path / "pages").rglob("*.md")}
    assert pages == {f.relative_to(DOCS).as_posix() for f in DOCS.rglob("*.md")} - {"log.md"} | set(made_pages())
    nav = re.findall(r": ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), flags=re.M)
    assert sorted(nav) == sorted(pages)


@pytest.mark.parametrize(
    ("html", "fetched"),
    [
        ('<script src="https://a.example/x.js"></script>', "https://a.example/x.js"),
        ("<img alt=x src=//a.example/x.png>", "//a.example/x.png"),
        ('<link rel="stylesheet" href="https://a.example/x.css">', "https://a.example/x.css"),
        ("<style>@font-face { src: url('https://a.example/x.woff') }</style>", "https://a.example/x.woff"),
        ('<a href="https://a.example/">there</a><img src="x.png"><script src="x.js"></script>', None),
    ],
)
def test_what_a_page_would_fetch_elsewhere_is_found(tmp_path: Path, html: str, fetched: str | None) -> None:
    (tmp_path / "index.html").write_text(html)
    assert list(fetched_elsewhere(tmp_path)) == ([f"index.html: {fetched}"] if fetched else [])


@pytest.mark.parametrize("file", [ROOT / "README.md", DOCS / "python.md"], ids=lambda file: file.name)
def test_python_examples_run(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copyfile(ROOT / "examples" / "china.jpg", tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    for block in re.findall(r"```python\n(.*?)```", file.read_text(encoding="utf-8"), flags=re.S):
        exec(compile(block, file.name, "exec"), {})


@pytest.mark.parametrize("file", WRITTEN, ids=lambda file: file.name)
def test_commands_parse(file: Path) -> None:
    from photo2anime.commands.entry import completed

    parser, known = parser_and_commands()
    for command in re.findall(r"^photo2anime (.+?)(?:\s+#.*)?$", file.read_text(encoding="utf-8"), flags=re.M):
        assert parser.parse_args(completed(command.replace("'", "").split(), known))
