"""Builds sdist and wheel into dist/, with the page that paints in the browser where `make browser` has built it.

The page's networks are the package's own, and what runs on graphics cards is left out: the wheel stays under 25 MB.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "browser" / "dist"


def put_page_into(source: Path) -> None:
    """The built page into the package of that repository; nothing where it is not built."""
    if (PAGE / "index.html").is_file():
        left_out = shutil.ignore_patterns("networks", "*asyncify*")
        shutil.copytree(PAGE, source / "src" / "photo2anime" / "web" / "browser", ignore=left_out)


def main() -> None:
    carried = ROOT / "src" / "photo2anime" / "web" / "browser"
    shutil.rmtree(carried, ignore_errors=True)
    try:
        put_page_into(ROOT)
        subprocess.run([sys.executable, "-m", "build", "--outdir", ROOT / "dist", ROOT], check=True)
    finally:
        shutil.rmtree(carried, ignore_errors=True)  # where it would hide a newer browser/dist


if __name__ == "__main__":
    main()
