"""Faces and their portraits by composed teachers: the pseudo-pairs that portrait-v1 and portrait-v2 are trained on.

portrait_pairs.py FACES... --cute M.onnx --inked M.onnx --out DIR [--backgrounds DIR] [--count N]

Writes OUT/photo and OUT/anime, inked(cute(photo)), under the same names. Each face is turned, scaled and set before
another background by chance, and the eyes of every other one are enlarged as for version 1, before the teachers see it;
every third photo is then blurred, shrunk, noised or compressed, its portrait is not: a poor photo gives a whole one.
Can be stopped and run again. The teachers of the shipped styles are AnimeGANv3's published models.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from photo2anime import Stylizer
from photo2anime.eyes import enlarge_eyes
from photo2anime.faces import find_faces
from photo2anime.image_io import read_image, write_image
from photo2anime.train.data import pictures_in
from photo2anime.types import RGB, Picture

SIDE_PX = 512  # what the teachers were made for
_KEPT_PX = 352  # of the written pictures: a crop of 192 then holds most of a face
_BROAD_PX = 20
_OWN_COLORS = 0.7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", nargs="+", type=Path, help="folders of square, aligned faces")
    for teacher in ("cute", "inked"):
        parser.add_argument(f"--{teacher}", type=Path, required=True, metavar="MODEL.onnx")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--backgrounds", type=Path, help="a folder of photos")
    parser.add_argument("--count", type=int, help="stop after so many faces")
    args = parser.parse_args()
    cute, inked = (Stylizer.load(file) for file in (args.cute, args.inked))
    faces = interleaved([list(pictures_in(folder).values()) for folder in args.faces])[: args.count]
    backgrounds = list(pictures_in(args.backgrounds).values()) if args.backgrounds else []

    for number, face in enumerate(faces):
        rng = np.random.default_rng((1, number))
        name = f"{face.parent.name}-{face.stem}.png"
        if (args.out / "anime" / name).exists():
            continue
        photo = placed(read_image(face).rgb, backgrounds, rng)
        for found in find_faces(photo)[: number % 2]:
            photo = enlarge_eyes(photo, found.landmarks[:2])
        save(args.out / "photo" / name, shrunk(worsened(photo, rng) if number % 3 == 2 else photo))
        save(args.out / "anime" / name, with_colors_of(shrunk(photo), shrunk(inked.paint(cute.paint(photo)))))
        print(f"{number + 1} of {len(faces)}: {name}", flush=True)


def interleaved(folders: list[list[Path]]) -> list[Path]:
    """Every folder spread evenly over the whole, so that any beginning of it has some of each."""
    places = [((i + 0.5) / len(files), file) for files in folders for i, file in enumerate(files)]
    return [file for _, file in sorted(places)]


def placed(face: RGB, backgrounds: list[Path], rng: np.random.Generator) -> RGB:
    """The face as it is, or turned by up to 25 degrees, scaled by 0.45 to 1.2, and moved, before a background."""
    image = Image.fromarray(face).resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
    if rng.random() < 0.35:
        return np.asarray(image)
    scale, angle = float(np.exp(rng.uniform(np.log(0.45), np.log(1.2)))), np.deg2rad(rng.uniform(-25, 25))
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    free = SIDE_PX / 2 * max(0.15, 1 - scale) * 0.8
    x, y = SIDE_PX / 2 + rng.uniform(-free, free, 2)
    matrix = (cos, sin, SIDE_PX / 2 - cos * x - sin * y, -sin, cos, SIDE_PX / 2 + sin * x - cos * y)
    soft = Image.new("L", (SIDE_PX, SIDE_PX), 0)
    soft.paste(255, (24, 24, SIDE_PX - 24, SIDE_PX))
    soft = soft.filter(ImageFilter.GaussianBlur(10))
    turned = image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
    mask = soft.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
    behind = image.filter(ImageFilter.GaussianBlur(20))
    if backgrounds:
        behind = Image.fromarray(read_image(backgrounds[rng.integers(len(backgrounds))]).rgb)
        side = min(behind.size)
        left, top = rng.integers(behind.width - side + 1), rng.integers(behind.height - side + 1)
        behind = behind.crop((int(left), int(top), int(left) + side, int(top) + side)).resize(
            image.size, Image.Resampling.LANCZOS
        )
    return np.asarray(Image.composite(turned, behind, mask))


def shrunk(picture: RGB) -> RGB:
    return np.asarray(Image.fromarray(picture).resize((_KEPT_PX, _KEPT_PX), Image.Resampling.LANCZOS))


def with_colors_of(photo: RGB, portrait: RGB, share: float = _OWN_COLORS, broad_px: float = _BROAD_PX) -> RGB:
    """The portrait's lines and shading on a share of the photo's broad colours.

    The teachers normalise over the whole picture, so they make one grey white and another navy; a network that sees
    only a neighbourhood cannot learn that, and skin should keep its tone.
    """
    broad = [
        np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(broad_px)), np.float32)
        for picture in (photo, portrait)
    ]
    mixed = portrait + share * (broad[0] - broad[1])
    return np.clip(mixed + 0.5, 0, 255).astype(np.uint8)


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
