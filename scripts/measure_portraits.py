"""Measures whether portraits keep who it is: measure_portraits.py FACES STYLE... --men N,... --women N,... [models]

FACES: a folder of face photos; --men and --women name those to measure, without extension. STYLE: a style, or an .onnx
file. Prints, in medians, how far eyes are open in the result over the photo, how far the skin of the cheeks moved in
Lab, and how far the face moved for a network that recognises people, in units of the distance between two people.

Not installed with us: `pip install ai-edge-litert dlib-bin`; --mesh and --iris are MediaPipe's face_landmark.tflite
(468 points; it hardly follows eyes that were enlarged, so it only tells where they are) and iris_landmark.tflite (the
lids); --recognition and --shape are dlib's dlib_face_recognition_resnet_model_v1.dat and
shape_predictor_5_face_landmarks.dat.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import dlib
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from photo2anime.images.image_io import read_image
from photo2anime.painting.faces import find_faces
from photo2anime.painting.stylizer import Stylizer
from photo2anime.train.data.dataset import pictures_in
from photo2anime.types import RGB, Face

# Points of the mesh: the corners of each eye from left to right, and the middle of the cheeks.
EYES = ((33, 133), (362, 263))
CHEEKS = (50, 101, 118, 117, 280, 330, 347, 346)
MESH_PX = 192
IRIS_PX, IRIS_MARGIN = 64, 2.3  # side of the square the lids are found in, and over the width of the eye
LIDS = ((11, 3), (12, 4), (13, 5))  # (upper, lower) of what the iris network answers
# Individual typology angle, degrees: Chardon et al. 1991 ("Skin colour typology and suntanning pathways")
TONES = {"light": (41.0, 180.0), "medium": (10.0, 41.0), "dark": (-180.0, 10.0)}

Points = NDArray[np.float32]  # (468, 2), pixels of the mesh's square
Opening = Callable[[RGB, Face], float]
Mesh = Callable[[RGB, Face], tuple[RGB, Points]]


class Kept(NamedTuple):
    """One face of one style. opening: of the eyes, over the photo's. shift: of the skin, (L, a, b). moved: identity."""

    opening: float
    shift: NDArray[np.float32]
    moved: float


def main() -> None:
    args = _arguments()
    files = pictures_in(args.faces)
    sex = dict.fromkeys(args.men, "men") | dict.fromkeys(args.women, "women")
    photos = {name: read_image(files[name]).rgb for name in sex}
    faces = {name: found[0] for name, photo in photos.items() if (found := find_faces(photo))}
    mesh, identity = load_mesh(args.mesh), load_identity(args.recognition, args.shape)
    opening = load_opening(args.iris, mesh)
    open_before = {name: opening(photos[name], face) for name, face in faces.items()}
    skin_before = {name: skin(*mesh(photos[name], face)) for name, face in faces.items()}
    tones = {name: tone(lab) for name, lab in skin_before.items()}
    known = {name: identity(photos[name], photos[name]) for name in faces}
    people = statistics.median(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(known.values(), 2))
    print(f"{len(faces)} of {len(sex)} faces found; two people are {people:.2f} apart")
    print("| style | eyes, men | eyes, women | men/women | identity | skin, all | " + " | ".join(TONES) + " |")
    print("|" + "---|" * (6 + len(TONES)))
    for style in args.style:
        stylizer = Stylizer.load(style)
        kept = {}
        for name, face in faces.items():
            photo, result = photos[name], stylizer(photos[name])
            moved = float(np.linalg.norm(identity(photo, result) - known[name])) / people
            shift = skin(*mesh(result, face)) - skin_before[name]
            kept[name] = Kept(opening(result, face) / open_before[name], shift, moved)
        print(row(Path(style).stem, kept, sex, tones), flush=True)


def row(style: str, kept: dict[str, Kept], sex: dict[str, str], tones: dict[str, str]) -> str:
    men, women = (
        statistics.median(k.opening for n, k in kept.items() if sex[n] == which) for which in ("men", "women")
    )
    cells = [style, f"{men:.2f}", f"{women:.2f}", f"{men / women:.2f}"]
    cells.append(f"{statistics.median(k.moved for k in kept.values()):.2f}")
    for group in ("all", *TONES):
        shifts = [k.shift for name, k in kept.items() if group in ("all", tones[name])]
        mean = np.mean(shifts, axis=0) if shifts else np.full(3, np.nan)
        far = np.mean([np.linalg.norm(shift) for shift in shifts]) if shifts else np.nan
        cells.append(f"{far:.1f} (L {mean[0]:+.1f}, a {mean[1]:+.1f}, b {mean[2]:+.1f}; {len(shifts)})")
    return "| " + " | ".join(cells) + " |"


def load_network(file: Path, count: int) -> Callable[[RGB], Points]:
    """A TFLite file that answers a square picture with count points, in its pixels."""
    network = Interpreter(model_path=str(file))
    network.allocate_tensors()
    source, answers = network.get_input_details()[0]["index"], network.get_output_details()
    answer = next(answer["index"] for answer in answers if np.prod(answer["shape"]) == count * 3)

    def points(square: RGB) -> Points:
        network.set_tensor(source, square[None].astype(np.float32) / 255)
        network.invoke()
        return np.asarray(network.get_tensor(answer).reshape(count, 3)[:, :2], np.float32)

    return points


def load_mesh(file: Path) -> Mesh:
    """(picture, face) -> (the face cut upright, 192x192, and its 468 points there)."""
    points = load_network(file, 468)

    def mesh(picture: RGB, face: Face) -> tuple[RGB, Points]:
        square = cut(picture, upright(face), MESH_PX)
        return square, points(square)

    return mesh


def points_in_picture(mesh: Mesh, picture: RGB, face: Face) -> Points:
    """The 468 points of a face in pixels of the picture."""
    back = cv2.invertAffineTransform(upright(face))
    return np.asarray(mesh(picture, face)[1] @ back[:, :2].T + back[:, 2], np.float32)


def upright(face: Face) -> NDArray[np.float64]:
    """(2, 3): turns a face until its eyes are level, with a quarter of its size around it, as the mesh expects it."""
    left, top, right, bottom = face.box
    center = ((left + right) / 2, (top + bottom) / 2)
    return levelled(center, face.landmarks[0], face.landmarks[1], 1.5 * max(right - left, bottom - top), MESH_PX)


def levelled(
    center: tuple[float, float], left: Sequence[float], right: Sequence[float], side: float, square_px: int
) -> NDArray[np.float64]:
    """(2, 3): brings what lies side wide around center into a square, turned until left and right are level."""
    angle = float(np.degrees(np.arctan2(right[1] - left[1], right[0] - left[0])))
    matrix = np.asarray(cv2.getRotationMatrix2D(center, angle, square_px / side), np.float64)
    matrix[:, 2] += square_px / 2 - np.array(center)
    return matrix


def cut(picture: RGB, matrix: NDArray[np.float64], square_px: int) -> RGB:
    return np.asarray(cv2.warpAffine(picture, matrix, (square_px, square_px), flags=cv2.INTER_AREA), np.uint8)


def load_opening(file: Path, mesh: Mesh) -> Opening:
    """(picture, face) -> mean distance of the lids of both eyes in pixels, at least one."""
    contour = load_network(file, 71)

    def opening(picture: RGB, face: Face) -> float:
        points = points_in_picture(mesh, picture, face)
        gaps = []
        for number, corners in enumerate(EYES):
            left, right = points[list(corners)].tolist()
            side = IRIS_MARGIN * float(np.hypot(right[0] - left[0], right[1] - left[1]))
            center = ((left[0] + right[0]) / 2, (left[1] + right[1]) / 2)
            square = cut(picture, levelled(center, left, right, side, IRIS_PX), IRIS_PX)
            lids = contour(square[:, ::-1] if number else square)  # the network knows one eye, the other is its mirror
            gaps += [float(np.linalg.norm(lids[upper] - lids[lower])) * side / IRIS_PX for upper, lower in LIDS]
        return max(1.0, float(np.mean(gaps)))

    return opening


def skin(square: RGB, points: Points) -> NDArray[np.float32]:
    """Mean Lab of five pixels around each point of the cheeks."""
    lab = cv2.cvtColor(square.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    x, y = np.clip(points[list(CHEEKS)].round().astype(int), 2, MESH_PX - 3).T
    patches = [lab[v - 2 : v + 3, u - 2 : u + 3].reshape(-1, 3) for u, v in zip(x, y, strict=True)]
    return np.asarray(np.concatenate(patches).mean(axis=0), np.float32)


def tone(lab: NDArray[np.float32]) -> str:
    angle = float(np.degrees(np.arctan2(lab[0] - 50, lab[2])))
    return next(name for name, (low, high) in TONES.items() if low <= angle < high)


def load_identity(recognition: Path, shape: Path) -> Callable[[RGB, RGB], NDArray[np.float64]]:
    """(photo, picture of the same size) -> 128 numbers of the face in the picture, cut where it stands in the photo."""
    detector = dlib.get_frontal_face_detector()
    predictor, network = dlib.shape_predictor(str(shape)), dlib.face_recognition_model_v1(str(recognition))

    def identity(photo: RGB, picture: RGB) -> NDArray[np.float64]:
        left, top, right, bottom = (round(side) for side in find_faces(photo)[0].box)
        boxes = detector(photo, 0) or [dlib.rectangle(left, top, right, bottom)]
        place = max(boxes, key=lambda box: box.area())
        picture = np.ascontiguousarray(picture)
        return np.array(network.compute_face_descriptor(picture, predictor(np.ascontiguousarray(photo), place)))

    return identity


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", type=Path)
    parser.add_argument("style", nargs="+")
    for which in ("men", "women"):
        parser.add_argument(f"--{which}", type=lambda text: text.split(","), required=True, metavar="NAME,...")
    for model in ("mesh", "iris", "recognition", "shape"):
        parser.add_argument(f"--{model}", type=Path, required=True, metavar="FILE")
    return parser.parse_args()


if __name__ == "__main__":
    main()
