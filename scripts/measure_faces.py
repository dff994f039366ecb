"""Measures faces in scenes: python scripts/measure_faces.py FACES SCENES [--portrait v1=FILE ...] [--style NAME]

FACES: a folder of aligned face photos with some room around them. SCENES: a folder of photos to set them into; only
those without faces are used. Prints how many small faces a detector finds again in the painted picture, with and
without the portrait step, the colour step across the mask's border, and what faces cost in time and memory.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import sys
import time
from pathlib import Path
from typing import get_args

import numpy as np
from PIL import Image, ImageFilter

from photo2anime.images.image_io import READABLE, read_image
from photo2anime.painting import portraits
from photo2anime.painting.faces import find_faces
from photo2anime.painting.stylizer import Stylizer
from photo2anime.types import RGB, Face, FaceChoice, FaceVersion, Look, PaintedFace, Picture

FACE_SHARE = 0.72  # of the side of an aligned FFHQ photo: the height of the face in it
WIDTH, HEIGHT = 1280, 832
_CHOICES: tuple[FaceChoice, ...] = ("off", "auto")


def main() -> None:
    args = _arguments()
    style = Stylizer.load(args.style)
    for given in args.portrait:
        version, _, file = given.partition("=")
        style.face_painters = {**style.face_painters, version: Stylizer.load(file).paint}
    if not style.face_painters:
        sys.exit("no portrait style is installed; give --portrait v1=FILE")
    faces = [Image.open(file).convert("RGB") for file in _pictures(args.faces)[: args.count]]
    scenes = [scene for file in _pictures(args.scenes) if not find_faces(scene := _scene(file))][: args.scenes_used]
    print(f"{len(faces)} faces in {len(scenes)} scenes of {WIDTH}x{HEIGHT}, {args.style}")
    for face_px in args.sizes:
        groups = [group_photo(scene, faces[i :: len(scenes)], face_px) for i, scene in enumerate(scenes)]
        _tell_found_again(style, groups, face_px)
    _tell_seams(style, [group_photo(scene, faces[i :: len(scenes)], 110) for i, scene in enumerate(scenes)])
    _tell_cost(style, scenes[0], faces)


def group_photo(scene: RGB, faces: list[Image.Image], face_px: int) -> RGB:
    """The scene with as many of the faces as fit, face_px high, in rows, their borders softened."""
    side = round(face_px / FACE_SHARE)
    picture = Image.fromarray(scene)
    places = itertools.product(range(side // 3, HEIGHT - side, side * 4 // 3), range(side // 3, WIDTH - side, side))
    oval = Image.new("L", (side, side))
    oval.paste(255, (side // 16, side // 16, side - side // 16, side - side // 16))
    oval = oval.filter(ImageFilter.GaussianBlur(side / 32))
    for face, (top, left) in zip(faces, places, strict=False):
        picture.paste(face.resize((side, side), Image.Resampling.LANCZOS), (left, top), oval)
    return np.asarray(picture)


def _tell_found_again(style: Stylizer, groups: list[RGB], face_px: int) -> None:
    of_all = 0
    again = dict.fromkeys(_CHOICES, 0)
    for photo in groups:
        found = find_faces(photo)
        of_all += len(found)
        for choice in _CHOICES:
            kept = find_faces(style(photo, faces=choice))
            again[choice] += sum(any(_same(face, other) for other in kept) for face in found)
    shares = "  ".join(f"{choice}: {count / of_all:.1%}" for choice, count in again.items())
    print(f"faces {face_px} px high, {of_all} found in the photos; found again  {shares}")


def _same(one: Face, other: Face) -> bool:
    """Whether two boxes share at least half of the smaller one."""
    width, height = (min(one.box[2 + i], other.box[2 + i]) - max(one.box[i], other.box[i]) for i in (0, 1))
    areas = [(f.box[2] - f.box[0]) * (f.box[3] - f.box[1]) for f in (one, other)]
    return min(width, height) > 0 and width * height >= 0.5 * min(areas)


def _tell_seams(style: Stylizer, groups: list[RGB]) -> None:
    """Mean step between neighbouring pixels on the mask's border and where it rises, above that without faces."""
    steps: dict[str, list[float]] = {"border": [], "rise": []}
    for photo in groups:
        painting = style.paint_picture(Picture(photo))
        scene = style(photo, faces="off")
        y, x = (np.arange(length, dtype=np.float32) for length in photo.shape[:2])
        squares = [portraits.square_of(face.face) for face in painting.faces if face.version]
        distance = np.min([square.distance(y[:, None], x[None]) for square in squares], axis=0)
        for name, ring in (("border", np.abs(distance - 0.95) < 0.03), ("rise", (distance > 0.6) & (distance < 0.95))):
            steps[name].append(_mean_step(painting.picture.rgb, ring) - _mean_step(scene, ring))
    told = ", ".join(f"{name} {np.mean(values):+.2f} (worst {max(values):+.2f})" for name, values in steps.items())
    print(f"grey levels between neighbouring pixels above the scene without faces: {told}")


def _mean_step(picture: RGB, ring: np.ndarray) -> float:
    values = picture.astype(int)
    down, right = np.abs(np.diff(values, axis=0))[ring[1:]], np.abs(np.diff(values, axis=1))[ring[:, 1:]]
    return float((down.mean() + right.mean()) / 2)


def _tell_cost(style: Stylizer, scene: RGB, faces: list[Image.Image]) -> None:
    """Seconds (best of three) and the process's peak memory, for more and more faces in the same scene."""
    for count in (0, 5, 50):
        photo = Picture(group_photo(scene, (faces * 50)[:count], 60))
        seconds = {}
        for choice in _CHOICES:
            times = []
            for _ in range(3):
                started = time.perf_counter()
                found: tuple[PaintedFace, ...] = style.paint_picture(photo, Look(faces=choice)).faces
                times.append(time.perf_counter() - started)
            seconds[choice] = min(times)
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        drawn = sum(face.version is not None for face in found)
        allowed = 2 * seconds["off"] + 0.1 * drawn
        print(
            f"{count} faces set in, {drawn} drawn: scene alone {seconds['off']:.2f} s, with faces "
            f"{seconds['auto']:.2f} s (allowed {allowed:.2f}); peak so far {peak_mib:.0f} MiB"
        )


def _scene(file: Path) -> RGB:
    picture = Image.fromarray(read_image(file).rgb)
    return np.asarray(picture.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS))


def _pictures(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in READABLE)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("faces", type=Path)
    parser.add_argument("scenes", type=Path)
    versions = " or ".join(get_args(FaceVersion))
    parser.add_argument("--portrait", action="append", default=[], metavar="VERSION=FILE", help=f"{versions}, by .onnx")
    parser.add_argument("--style", default="hayao")
    parser.add_argument("--sizes", type=int, nargs="*", default=[60, 90], metavar="PX")
    parser.add_argument("--count", type=int, default=100, help="faces used")
    parser.add_argument("--scenes-used", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
