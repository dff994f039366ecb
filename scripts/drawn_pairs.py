"""Faces and their drawn portraits, aligned and varied: the pairs that portrait-v1 is trained on.

drawn_pairs.py PAIRS --mesh face_landmark.tflite --out DIR

PAIRS/photo and PAIRS/anime hold square pictures of the same names and size; what was drawn by hand or by a large
network lies a few pixels off its photo, which a small network would learn as blur. So 468 points are found in both, and
the portrait is moved most of the way. Writes OUT/photo and OUT/anime: each pair as it is, and turned, scaled and lit in
other ways; every third photo is worsened, and its portrait is not. --mesh as in measure_portraits.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from measure_portraits import Mesh, Points, load_mesh, points_in_picture
from photo2anime.faces import find_faces
from photo2anime.image_io import read_image
from photo2anime.train.data import pictures_in
from photo2anime.types import RGB
from portrait_pairs import save, with_colors_of, worsened

FOUND_AT_PX = 512  # small pictures are enlarged to this before faces are looked for
MOVED = 0.75  # share of the way that the portrait is moved towards the photo
BROAD_PX = 10
REACHES_PX = (40, 20, 10)  # of a point's pull, the broadest first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--mesh", type=Path, required=True, metavar="FILE")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--variants", type=int, default=10)
    parser.add_argument(
        "--own-colors", type=float, default=0.5, help="share of the photo's broad colours put back, so that skin stays"
    )
    args = parser.parse_args()
    mesh, drawings = load_mesh(args.mesh), pictures_in(args.pairs / "anime")
    for number, (name, file) in enumerate(pictures_in(args.pairs / "photo").items()):
        photo = read_image(file).rgb
        drawn = aligned(photo, read_image(drawings[name]).rgb, mesh)
        anime = with_colors_of(photo, drawn, args.own_colors, BROAD_PX)
        for variant in range(args.variants):
            rng = np.random.default_rng((7, number, variant))
            both = varied(photo, anime, rng) if variant else (photo, anime)
            save(args.out / "photo" / f"{name}-{variant}.png", worsened(both[0], rng) if variant % 3 == 2 else both[0])
            save(args.out / "anime" / f"{name}-{variant}.png", both[1])


def aligned(photo: RGB, anime: RGB, mesh: Mesh) -> RGB:
    """The portrait with eyes, nose, mouth and outline moved towards the photo's; as it is where no face is found."""
    there, here = points_of(photo, mesh), points_of(anime, mesh)
    if there is None or here is None:
        return anime
    goal = there + (1 - MOVED) * (here - there)
    y, x = np.mgrid[: photo.shape[0], : photo.shape[1]].astype(np.float32)
    shift = spread(goal, here - goal, x, y)
    moved = cv2.remap(anime, x + shift[..., 0], y + shift[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)


def points_of(picture: RGB, mesh: Mesh) -> Points | None:
    """The 468 points of the largest face, in pixels of the picture."""
    scale = FOUND_AT_PX / len(picture)
    large = np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8)
    faces = find_faces(large)
    if not faces:
        return None
    return np.asarray(points_in_picture(mesh, large, faces[0]) / scale, np.float32)


def spread(points: Points, shifts: Points, x: Points, y: Points) -> NDArray[np.float32]:
    """The points' shifts everywhere, smooth, none at the border: (H, W, 2). Each reach adds what the broader left."""
    height, width = x.shape
    edge = np.array([(u, v) for u in np.linspace(0, width - 1, 9) for v in (0, height - 1)], np.float32)
    side = np.array([(u, v) for u in (0, width - 1) for v in np.linspace(0, height - 1, 9)], np.float32)
    points = np.concatenate([points, edge, side])
    left = np.concatenate([shifts, np.zeros((len(edge) + len(side), 2), np.float32)])
    total = np.zeros((height, width, 2), np.float32)
    columns, rows = np.clip(points.round().astype(int), 0, (width - 1, height - 1)).T
    for reach in REACHES_PX:
        pulled, weights = np.zeros_like(total), np.full((height, width, 1), 1e-3, np.float32)
        for (u, v), shift in zip(points, left, strict=True):
            near = np.exp(-((x - u) ** 2 + (y - v) ** 2) / (2 * reach**2))[..., None]
            pulled += near * shift
            weights += near
        total += pulled / weights
        left = left - (pulled / weights)[rows, columns]
    return total


def varied(photo: RGB, anime: RGB, rng: np.random.Generator) -> tuple[RGB, RGB]:
    """Both turned by up to 25 degrees and scaled by 0.75 to 1.2 alike, most of them under another light too."""
    height, width = photo.shape[:2]
    scale = float(np.exp(rng.uniform(np.log(0.75), np.log(1.2))))
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-25, 25), scale)
    lit = rng.random() < 0.7
    gain = np.exp(rng.uniform(-0.18, 0.18, 3) + rng.uniform(-0.45, 0.25)) if lit else np.ones(3)
    both = []
    for picture in (photo, anime):
        edge = cv2.BORDER_REFLECT_101
        turned = cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=edge)
        both.append(np.clip(turned * gain, 0, 255).astype(np.uint8))
    return both[0], both[1]


if __name__ == "__main__":
    main()
