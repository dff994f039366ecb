"""Photos and their paintings in rows: python scripts/contact_sheet.py PHOTOS PAINTED SHEET.jpg

PAINTED holds NAME-STYLE.jpg for each NAME.jpg in PHOTOS, as `photo2anime paint -s all -o PAINTED` writes them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

from photo2anime import list_styles

CELL = (400, 300)
TITLE_PX = 22


def main() -> None:
    photos, painted, sheet = (Path(argument) for argument in sys.argv[1:])
    names = sorted(file.stem for file in photos.glob("*.jpg") if (painted / f"{file.stem}-hayao.jpg").exists())
    shown = [name for name, card in list_styles().items() if card.free or name.startswith("portrait")]
    columns = ["photo", *shown]
    page = Image.new("RGB", (CELL[0] * len(columns), TITLE_PX + CELL[1] * len(names)), "white")
    draw = ImageDraw.Draw(page)
    for column, title in enumerate(columns):
        draw.text((CELL[0] * column + 6, 4), title, "black", font_size=14)
        for row, name in enumerate(names):
            file = photos / f"{name}.jpg" if title == "photo" else painted / f"{name}-{title}.jpg"
            with Image.open(file) as picture:
                cell = ImageOps.fit(picture, CELL, Image.Resampling.LANCZOS)
            page.paste(cell, (CELL[0] * column, TITLE_PX + CELL[1] * row))
    page.save(sheet, quality=90)


if __name__ == "__main__":
    main()
