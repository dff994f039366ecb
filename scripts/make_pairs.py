"""Photos and drawings of them, aligned to the pixel: what the shipped styles are trained on.

make_pairs.py LOOK[,LOOK..] PHOTOS... --models DIR --out DIR [--place BACKGROUNDS]

Looks are chains of published networks and filters, described in runs/looks.toml. Writes OUT/photo and OUT/LOOK under
the same names. With --place each photo, a square face, is turned, scaled and set before another background by chance,
every other one has its eyes enlarged as for version 1, and every third photo is then blurred, shrunk, noised or
compressed, its drawing is not: a poor photo gives a whole one. One core is used; several processes may work on one
folder, and a stopped run goes on.
"""

from __future__ import annotations

import argparse
import fcntl
import io
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import cv2
import numpy as np
import torch
from PIL import Image, ImageFilter

from photo2anime.images.image_io import read_image, write_image
from photo2anime.painting.eyes import enlarge_eyes
from photo2anime.painting.faces import find_faces
from photo2anime.train.data.dataset import pictures_in
from photo2anime.train.data.targets import parse_chain, resized, with_broad_colors, with_own_mouth
from photo2anime.types import RGB, Picture

LOOKS = Path(__file__).resolve().parent.parent / "runs" / "looks.toml"


@dataclass(frozen=True, slots=True)
class Look:
    """A row of looks.toml. side_px: the longer side that photos are drawn at. own_colors: share of the photo's broad
    colours put back. own_mouth: lips keep their hue, teeth their gaps.
    """

    chain: str
    side_px: int
    own_colors: float = 0.0
    own_mouth: bool = False


class Drawer:
    """Call it with a photo for the photo as the look draws it."""

    def __init__(self, look: Look, models: Path) -> None:
        self.look = look
        self.chain = parse_chain(look.chain, models)

    def __call__(self, photo: RGB) -> RGB:
        drawn = self.chain(photo)
        if self.look.own_colors:
            drawn = with_broad_colors(photo, drawn, self.look.own_colors)
        for face in find_faces(photo) if self.look.own_mouth else []:
            drawn = with_own_mouth(photo, drawn, face)
        return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("looks", metavar="LOOK[,LOOK..]")
    parser.add_argument("photos", nargs="+", type=Path, help="folders")
    parser.add_argument("--models", type=Path, required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--place", type=Path, metavar="BACKGROUNDS", help="photos are square faces; place them")
    parser.add_argument("--kept-px", type=int, metavar="N", help="longer side of what is written; default: as drawn")
    parser.add_argument("--crop-px", type=int, metavar="N", help="draw only a square of this side, anywhere")
    parser.add_argument("--variants", type=int, default=1, metavar="N", help="of each photo, with --place")
    parser.add_argument("--count", type=int, help="stop after so many photos")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    table = tomllib.loads(LOOKS.read_text(encoding="utf-8"))
    drawers = {name: Drawer(Look(**table[name]), args.models) for name in args.looks.split(",")}
    side = next(iter(drawers.values())).look.side_px
    files = interleaved([list(pictures_in(folder).values()) for folder in args.photos])[: args.count]
    backgrounds = list(pictures_in(args.place).values()) if args.place else []
    for number, file in enumerate(files):
        for variant in range(args.variants):
            target = f"{file.parent.name}-{file.stem}-{variant}.png"
            claim = claimed(args.out, target)
            if claim is None:
                continue
            rng = np.random.default_rng((1, number, variant))
            photo = read_image(file).rgb
            photo = placed(photo, side, backgrounds, rng) if args.place else fitted(photo, side)
            for face in find_faces(photo)[: (number + variant) % 2 if args.place else 0]:
                photo = enlarge_eyes(photo, face.landmarks[:2])
            if args.crop_px:
                photo = square_of(photo, args.crop_px, rng)
            kept_px = args.kept_px or max(photo.shape)
            for look, draw in drawers.items():
                save(args.out / look / target, fitted(draw(photo), kept_px))
            poor = args.place is not None and (number + variant) % 3 == 2
            save(args.out / "photo" / target, fitted(worsened(photo, rng) if poor else photo, kept_px))
            claim.close()
            print(f"{number + 1} of {len(files)}: {target}", flush=True)


def claimed(out: Path, target: str) -> IO[bytes] | None:
    """A hold on a pair that is not drawn yet and that no other process has; keep it until the pair is written. It ends
    with the process, so that a killed one loses nothing. None for a pair that is drawn or taken.
    """
    lock = out / "taken" / target
    lock.parent.mkdir(parents=True, exist_ok=True)
    opened = open(lock, "ab")  # noqa: SIM115
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        opened.close()
        return None
    if (out / "photo" / target).exists():  # it is written last
        opened.close()
        return None
    return opened


def interleaved(folders: list[list[Path]]) -> list[Path]:
    """Every folder spread evenly over the whole, so that any beginning of it has some of each."""
    places = [((i + 0.5) / len(files), file) for files in folders for i, file in enumerate(files)]
    return [file for _, file in sorted(places)]


def fitted(picture: RGB, side_px: int) -> RGB:
    """The picture with its longer side at side_px."""
    scale = side_px / max(picture.shape[:2])
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    return resized(picture, height, width)


def square_of(photo: RGB, side_px: int, rng: np.random.Generator) -> RGB:
    """A square of the photo by chance, or as much as there is of it."""
    height, width = photo.shape[:2]
    top, left = int(rng.integers(max(1, height - side_px + 1))), int(rng.integers(max(1, width - side_px + 1)))
    return np.ascontiguousarray(photo[top : top + side_px, left : left + side_px])


def placed(face: RGB, side_px: int, backgrounds: list[Path], rng: np.random.Generator) -> RGB:
    """The face as it is, or turned by up to 25 degrees, scaled by 0.35 to 1.3, and moved, before a background."""
    image = Image.fromarray(resized(face, side_px, side_px))
    if rng.random() < 0.25:
        return np.asarray(image)
    scale, angle = float(np.exp(rng.uniform(np.log(0.35), np.log(1.3)))), np.deg2rad(rng.uniform(-25, 25))
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    free = side_px / 2 * max(0.15, 1 - scale) * 0.8
    x, y = side_px / 2 + rng.uniform(-free, free, 2)
    matrix = (cos, sin, side_px / 2 - cos * x - sin * y, -sin, cos, side_px / 2 + sin * x - cos * y)
    soft = Image.new("L", image.size, 0)
    soft.paste(255, (24, 24, side_px - 24, side_px))
    soft = soft.filter(ImageFilter.GaussianBlur(10))
    turned = image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
    mask = soft.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
    behind = Image.fromarray(read_image(backgrounds[rng.integers(len(backgrounds))]).rgb)
    side = min(behind.size)
    left, top = rng.integers(behind.width - side + 1), rng.integers(behind.height - side + 1)
    behind = behind.crop((int(left), int(top), int(left) + side, int(top) + side))
    return np.asarray(Image.composite(turned, behind.resize(image.size, Image.Resampling.LANCZOS), mask))


def worsened(photo: RGB, rng: np.random.Generator) -> RGB:
    """Blurred by up to a 128th of its side, or shrunk up to six times and enlarged; then noise and JPEG."""
    image = Image.fromarray(photo)
    if rng.random() < 0.5:
        image = image.filter(ImageFilter.GaussianBlur(len(photo) / 512 * rng.uniform(0.8, 4)))
    else:
        side = round(len(photo) / np.exp(rng.uniform(np.log(1.5), np.log(6))))
        image = image.resize((side, side), Image.Resampling.BOX).resize(image.size, Image.Resampling.BICUBIC)
    noisy = np.asarray(image) + rng.normal(0, rng.uniform(0, 8), photo.shape)
    compressed = io.BytesIO()
    Image.fromarray(np.clip(noisy + 0.5, 0, 255).astype(np.uint8)).save(
        compressed, "JPEG", quality=int(rng.integers(35, 90))
    )
    return np.asarray(Image.open(compressed))


def save(file: Path, picture: RGB) -> None:
    write_image(file, Picture(picture))


if __name__ == "__main__":
    main()
