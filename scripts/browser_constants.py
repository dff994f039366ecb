"""Writes browser/src/constants.json: every number and style that the painting in the browser shares with this package;
and browser/public/grades/, the colour tables of the films' grades.

Run it after a change of styles.toml, grades.toml or a constant named here; tests/test_browser.py fails until then.
With --cards it paints the pictures on the page's style cards anew too (browser/public/cards), after a network changed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from photo2anime.images import metadata
from photo2anime.inference import tiling
from photo2anime.painting import enlarge, eyes, faces, grades, portraits, stylizer
from photo2anime.styles import shipped_styles
from photo2anime.web import text

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "browser" / "src" / "constants.json"
TABLES = ROOT / "browser" / "public" / "grades"
CARDS = ROOT / "browser" / "public" / "cards"
_CARD_PX = 192

_SHARED: dict[ModuleType, tuple[str, ...]] = {
    stylizer: ("_LEAST_FOREIGN_PX", "_OF_MEDIUM", "_FEATHER_PX"),
    enlarge: ("NETWORK", "_REACH", "_STRIP_ROWS", "_DOUBLED_FROM", "_MOST_DOUBLINGS"),
    eyes: ("_LARGER", "_REACH", "_MOST_CELLS"),
    faces: (
        "DETECTOR",
        "_SIDE",
        "_STRIDES",
        "_OVERLAP_PX",
        "_FINEST_SCALE",
        "_NEEDED_SCORE",
        "_NEEDED_SCORE_TURNED",
        "_SHARPNESS_PX",
        "_SAME_FACE",
    ),
    grades: ("_TABLE", "_STRIP_ROWS", "_GLOW_FROM", "_GLOW_SHARE"),
    portraits: (
        "STYLES",
        "_PORTRAIT_SHARE",
        "_DRAWN_FACE_PX",
        "_LEAST_FACE_PX",
        "_STYLIZED_FACE_PX",
        "_MARGIN",
        "_RAISED",
        "_LEAST_PX",
        "_MOST_PX",
        "_MULTIPLE",
        "_UPRIGHT_DEGREES",
        "_SOLID",
        "_GONE",
        "_ROUNDNESS",
        "_FIT_PX",
        "_STYLED",
        "_HOLD_BACK",
        "_COLOR_CELLS",
        "_MOST_BROAD",
        "_LEAST_SHARPNESS",
    ),
}
_CARD = (
    "file",
    "description",
    "multiple_of",
    "halo",
    "max_side",
    "bytes_per_px",
    "mean_color",
    "grade",
    "free",
    "fast_file",
)
_TEXT = (
    "language_name",
    "tag",
    "title",
    "your_photo",
    "style",
    "more",
    "strength",
    "strength_info",
    "keep_color",
    "keep_color_info",
    "faces",
    "faces_info",
    "faces_auto",
    "faces_off",
    "faces_v1",
    "faces_v2",
    "lines",
    "lines_info",
    "lines_fine",
    "lines_medium",
    "lines_broad",
    "result",
    "download",
    "cancel",
    "cancelled",
    "zip",
    "count",
    "waiting",
    "no_photo",
    "not_a_picture",
    "portrait_v1",
    "portrait_v2",
    "not_free",
    "failed",
    "languages",
)


def constants() -> dict[str, Any]:
    """What both sides share, as it stands in JSON: names without their underscore, grouped by module."""
    shared: dict[str, Any] = {
        _short(module): {name.removeprefix("_").lower(): _plain(getattr(module, name)) for name in names}
        for module, names in _SHARED.items()
    }
    shared["grades"]["glow"] = {name: grade.glow for name, grade in grades.grades().items()}
    shared["tiling"] = {"work_bytes": tiling._EXACT_WORK_BYTES // 2}  # half: a phone has less memory than a server
    shared["storage_tags"] = sorted(metadata._STORAGE_TAGS)
    shared["styles"] = {name: {fact: getattr(card, fact) for fact in _CARD} for name, card in shipped_styles().items()}
    shared["text"] = {code: {key: getattr(words, key) for key in _TEXT} for code, words in text.TEXTS.items()}
    return shared


def rendered() -> str:
    """The whole file."""
    return json.dumps(constants(), indent=1, ensure_ascii=False) + "\n"


def tables() -> dict[str, bytes]:
    """By the grade's name its table in Pillow's fixed point (255 is 255 * 64), 16 bits; a row of zeros follows."""
    side = grades._TABLE
    packed = {}
    for name, grade in grades.grades().items():
        colors = np.asarray(grades._table(grade).table)
        past_the_end = np.zeros(3 * (side**2 + side + 1))
        packed[name] = np.trunc(np.concatenate([colors, past_the_end]) * 255 * 64 + 0.5).astype("<i2").tobytes()
    return packed


def _short(module: ModuleType) -> str:
    return module.__name__.rsplit(".", 1)[-1]


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def paint_cards() -> None:
    """A small square painting of each style: a face for the portraits, a building for the others."""
    from PIL import Image, ImageOps

    from photo2anime import Stylizer

    CARDS.mkdir(exist_ok=True)
    for name in shipped_styles():
        photo, box = ("astronaut.jpg", (96, 0, 352, 256)) if name.startswith("portrait") else ("china.jpg", None)
        with Image.open(ROOT / "examples" / photo) as opened:
            square = ImageOps.fit(opened.convert("RGB").crop(box), (2 * _CARD_PX, 2 * _CARD_PX), centering=(0.45, 0.1))
        painted = Stylizer.load(name)(square).resize((_CARD_PX, _CARD_PX), Image.Resampling.LANCZOS)
        painted.save(CARDS / f"{name}.webp", quality=80, method=6)


if __name__ == "__main__":
    if "--cards" in sys.argv:
        paint_cards()
    TARGET.write_text(rendered(), encoding="utf-8")
    TABLES.mkdir(exist_ok=True)
    for name, table in tables().items():
        (TABLES / f"{name}.bin").write_bytes(table)
    sys.stdout.write(f"{TARGET.name} is up to date\n")
