"""Photos and what two networks make of them together: the pseudo-pairs that the film styles are trained on.

film_pairs.py PHOTOS... --drawn M.onnx --palette STYLE|M.onnx --out DIR [--name STYLE] [--count N]

Writes OUT/photo and OUT/STYLE under the same names: a square of each photo, drawn by one network (flat areas, ink
lines, the photo's colours: AnimeGANv3's published models) and coloured by another (a style trained on pairs alone: it
has the palette and hardly draws). The palette moves no chroma further than LIMIT levels: what it saw no pair of, skin
and oranges, would turn crimson. Can be stopped and run again; another --palette adds a folder to the same photos.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from photo2anime import Stylizer
from photo2anime.image_io import read_image
from photo2anime.train.data import pictures_in
from photo2anime.types import RGB
from portrait_pairs import interleaved, save

SIDE_PX = 512  # what the drawing networks were made for
SHORT_PX = (540, 860)  # what a large photo's shorter side is shrunk to first: that of a picture of a megapixel
LIMIT = 18.0
YCBCR = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--drawn", type=Path, required=True, metavar="MODEL.onnx")
    parser.add_argument("--palette", required=True, metavar="STYLE|MODEL.onnx")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--name", help="of the folder of pictures; default: the palette's")
    parser.add_argument("--count", type=int, help="stop after so many photos")
    args = parser.parse_args()
    drawing, palette = Stylizer.load(args.drawn), Stylizer.load(args.palette)
    files = interleaved([list(pictures_in(folder).values()) for folder in args.photos])[: args.count]
    for number, file in enumerate(files):
        name = f"{file.parent.name}-{file.stem}.png"
        target = args.out / (args.name or palette.card.name) / name
        if target.exists():
            continue
        photo = square_of(read_image(file).rgb, np.random.default_rng((5, number)))
        drawn = drawing.paint(photo)
        save(args.out / "photo" / name, photo)
        save(target, within(drawn, palette.paint(drawn), LIMIT))
        print(f"{number + 1} of {len(files)}: {name}", flush=True)


def square_of(photo: RGB, rng: np.random.Generator) -> RGB:
    """A square of the photo by chance, shrunk to a picture's usual size or enlarged; (512, 512, 3) uint8."""
    image = Image.fromarray(photo)
    short = min(image.size)
    scale = max(SIDE_PX / short, min(1.0, rng.integers(*SHORT_PX) / short))
    width, height = (max(SIDE_PX, round(side * scale)) for side in image.size)
    image = image.resize((width, height), Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC)
    left, top = int(rng.integers(width - SIDE_PX + 1)), int(rng.integers(height - SIDE_PX + 1))
    return np.asarray(image.crop((left, top, left + SIDE_PX, top + SIDE_PX)))


def within(drawn: RGB, colored: RGB, limit: float) -> RGB:
    """Colored, its Cb and Cr moved from drawn's by no more than limit levels; (H, W, 3) uint8 each."""
    before, after = drawn @ YCBCR.T, colored @ YCBCR.T
    moved = after[..., 1:] - before[..., 1:]
    length = np.hypot(moved[..., 0], moved[..., 1])[..., None]
    after[..., 1:] = before[..., 1:] + moved * (limit / np.maximum(length, limit))
    return np.clip(after @ np.linalg.inv(YCBCR).T + 0.5, 0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
