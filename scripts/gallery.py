"""Paints the pictures of the gallery, docs/gallery/*.webp: python scripts/gallery.py --photos FOLDER

Which photos they are stands in docs/gallery/photos.toml. Those without a `file` are not in this repository: --photos
names a folder with them and a photos.tsv (name, source, path, ..) that says which is which. Without it their pictures
stay as they are.
"""

from __future__ import annotations

import argparse
import csv
import io
import tomllib
from pathlib import Path

from PIL import Image

from photo2anime import Stylizer, list_styles

ROOT = Path(__file__).parent.parent
GALLERY = ROOT / "docs" / "gallery"
PAINTED_PX, SHOWN_PX = 1024, 480  # longer sides: nothing is enlarged up to the first, a page of ten rows stays small
QUALITY = 60


def photo_files(folder: Path | None) -> dict[str, Path]:
    """The photos that can be read here, by their names in the gallery."""
    listed = {}
    if folder is not None:
        with (folder / "photos.tsv").open(encoding="utf-8", newline="") as table:
            rows = csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE)
            listed = {(row["source"], row["path"]): folder / row["name"] for row in rows}
    files = {}
    for photo in tomllib.loads((GALLERY / "photos.toml").read_text(encoding="utf-8"))["photo"]:
        file = ROOT / photo["file"] if "file" in photo else listed.get((photo["source"], photo["path"]))
        if file is not None:
            files[photo["name"]] = file
    return files


def shown(picture: Image.Image) -> bytes:
    """The picture as WebP, at the size of the gallery."""
    small = picture.copy()
    small.thumbnail((SHOWN_PX, SHOWN_PX), Image.Resampling.LANCZOS)
    memory = io.BytesIO()
    small.save(memory, "webp", quality=QUALITY, method=6)
    return memory.getvalue()


def main() -> None:
    arguments = argparse.ArgumentParser(description="Paints the pictures of the gallery.")
    arguments.add_argument("--photos", type=Path, help="the folder of the photos that are not in this repository")
    photos = {}
    for name, file in photo_files(arguments.parse_args().photos).items():
        with Image.open(file) as opened:
            photos[name] = opened.convert("RGB")
        photos[name].thumbnail((PAINTED_PX, PAINTED_PX), Image.Resampling.LANCZOS)
        (GALLERY / f"{name}.webp").write_bytes(shown(photos[name]))
    for style in list_styles():
        stylizer = Stylizer.load(style, precision="auto")
        for name, photo in photos.items():
            (GALLERY / f"{name}-{style}.webp").write_bytes(shown(stylizer(photo)))
        print(style)
    print(f"{sum(file.stat().st_size for file in GALLERY.glob('*.webp')) / 1e6:.2f} MB in {GALLERY.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
