"""Writes browser/tests/fixtures.json: small pictures and what this package makes of them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from photo2anime.inference.tiling import plan
from photo2anime.painting import compose, faces, portraits
from photo2anime.painting.eyes import enlarge_eyes
from photo2anime.painting.grades import grades
from photo2anime.styles import shipped_styles
from photo2anime.types import RGB, Face

TARGET = Path(__file__).parent.parent / "browser" / "tests" / "fixtures.json"
SIZES = ((16, 11), (74, 58), (37, 90), (29, 29), (1, 1), (200, 157))
TURN = 33.3
EYES = ((13.2, 15.7), (27.9, 12.4))


def photo_of(height: int, width: int, seed: int) -> RGB:
    """Smooth colours with noise on them, and full black, white and primaries in the corner."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(y / 9 + c) + np.cos(x / 13 - c) for c in range(3)], axis=-1)
    photo = np.clip(128 + 70 * waves + rng.normal(0, 20, (height, width, 3)), 0, 255).astype(np.uint8)
    photo[:2, :3] = [[[0, 0, 0], [255, 255, 255], [255, 0, 0]], [[0, 255, 0], [0, 0, 255], [255, 255, 0]]]
    return photo


def fixtures() -> dict[str, Any]:
    photo, other = photo_of(29, 37, 0), photo_of(29, 37, 1)
    square = photo_of(41, 41, 2)
    large = photo_of(150, 210, 3)
    image = Image.fromarray(photo)
    floats = np.random.default_rng(4).normal(0, 30, (23, 31)).astype(np.float32)
    cells = Image.fromarray(floats).resize((6, 6), Image.Resampling.BOX)
    card = shipped_styles()["cel"]
    face = Face((40, 30, 130, 140), ((70.0, 70.0), (105.0, 82.0), (85.0, 95.0), (65.0, 110.0), (96.0, 120.0)), 0.9)
    box = portraits.square_of(face)
    return {
        "photo": _packed(photo),
        "other": _packed(other),
        "square": _packed(square),
        "large": _packed(large),
        "lanczos": [_packed(np.asarray(image.resize(size, Image.Resampling.LANCZOS))) for size in SIZES],
        "box": _packed(np.asarray(image.resize((7, 5), Image.Resampling.BOX))),
        "shrunk": _packed(faces._resized(large, 0.17)),
        "floats": {
            "values": floats.ravel().tolist(),
            "broad": np.asarray(cells.resize((31, 23), Image.Resampling.BICUBIC)).ravel().tolist(),
        },
        "blurred": [_packed(np.asarray(image.filter(ImageFilter.GaussianBlur(s)))) for s in (1.11, 2.5, 7.3)],
        "turned": [
            _packed(np.asarray(Image.fromarray(square).rotate(t, Image.Resampling.BICUBIC))) for t in (TURN, 90)
        ],
        "eyes": _packed(enlarge_eyes(square, EYES)),
        "graded": {name: _packed(grade(large)) for name, grade in grades().items()},
        "kept": _packed(compose.keep_color(photo, other)),
        "blended": _packed(compose.blend(photo, other, 0.35)),
        "tiles": [[*t.rows, *t.cols, *t.keep_rows, *t.keep_cols] for t in plan(1200, 900, card, 800)],
        "square_of": [box.left, box.top, box.reach_px, box.side_px, box.turn],
    }


def _packed(pixels: NDArray[np.uint8]) -> dict[str, Any]:
    return {"width": pixels.shape[1], "height": pixels.shape[0], "data": base64.b64encode(pixels.tobytes()).decode()}


if __name__ == "__main__":
    TARGET.write_text(json.dumps(fixtures()) + "\n", encoding="utf-8")
