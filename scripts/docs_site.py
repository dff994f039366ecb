"""Builds the documentation's site, build/site, by MkDocs: python scripts/docs_site.py

Its pages are laid out in build/docs first, those of docs/ and those that are made (docs_pages), so that MkDocs knows of
nothing else and another builder can take its place. A warning, a broken link, or anything that a browser would fetch
from another host ends it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from docs_pages import DOCS, LEFT_OUT, ROOT, made_pages, page_of

PAGES, SITE = ROOT / "build" / "docs", ROOT / "build" / "site"
_FETCHED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio)\b[^>]*?\ssrc=["']?((?:https?:)?//[^"'\s>]+)"""
    r"""|<link\b(?![^>]*\brel=["']?canonical)[^>]*?\shref=["']?((?:https?:)?//[^"'\s>]+)"""
    r"""|url\(["']?((?:https?:)?//[^"')]+)|@import\s+["']((?:https?:)?//[^"']+)""",
    re.IGNORECASE,
)


def lay_out(target: Path) -> None:
    """Every page of the site, and what they show, into an empty folder."""
    shutil.rmtree(target, ignore_errors=True)
    left_out = {Path(file).name for file in LEFT_OUT}
    shutil.copytree(DOCS, target, ignore=lambda folder, names: left_out & set(names))
    for page in target.rglob("*.md"):
        page.write_text(page_of(f"docs/{page.relative_to(target).as_posix()}"), encoding="utf-8")
    for name, text in made_pages().items():
        (target / name).write_text(text, encoding="utf-8")


def fetched_elsewhere(site: Path) -> Iterator[str]:
    """What pages and style sheets would fetch from another host."""
    for file in sorted([*site.rglob("*.html"), *site.rglob("*.css")]):
        for found in _FETCHED.finditer(file.read_text(encoding="utf-8")):
            yield f"{file.relative_to(site)}: {next(filter(None, found.groups()))}"


def main() -> int:
    lay_out(PAGES)
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}  # the theme's word about its successor
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "-q", "--strict"], cwd=ROOT, env=quiet, check=False
    )
    if built.returncode:
        return built.returncode
    elsewhere = list(fetched_elsewhere(SITE))
    print("\n".join(elsewhere) or f"open {SITE.relative_to(ROOT)}/index.html")
    return 1 if elsewhere else 0


if __name__ == "__main__":
    sys.exit(main())
