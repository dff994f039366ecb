"""Small paintings that may not change unnoticed. After a new model: python tests/test_golden.py, and look at them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photo2anime import Stylizer
from photo2anime.styles import shipped_styles

GOLDEN = Path(__file__).parent / "golden"
PHOTOS = {"astronaut": (190, 60), "chelsea": (130, 90), "coast": (600, 300)}  # left, top of 64 pixels in examples/
TOLERANCE_LEVELS = 1


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("style", shipped_styles())
def test_a_small_painting_is_as_it_was(style: str, name: str, tmp_path: Path) -> None:
    painted = Stylizer.load(style).paint(np.asarray(Image.open(GOLDEN / f"{name}.png").convert("RGB")))
    expected = np.asarray(Image.open(GOLDEN / f"{name}-{style}.png"))
    difference = np.abs(painted.astype(int) - expected)
    if difference.max() > TOLERANCE_LEVELS:
        Image.fromarray(painted).save(tmp_path / "painted.png")
        levels = dict(zip(*np.unique(difference, return_counts=True), strict=True))
        pytest.fail(f"{tmp_path / 'painted.png'} differs; how many values by how many levels: {levels}")


def write_golden() -> None:
    """Paints the small pictures anew."""
    for name, (left, top) in PHOTOS.items():
        photo = Image.open(GOLDEN.parent.parent / "examples" / f"{name}.jpg").crop((left, top, left + 64, top + 64))
        photo.save(GOLDEN / f"{name}.png")
        for style in shipped_styles():
            Image.fromarray(Stylizer.load(style).paint(np.asarray(photo.convert("RGB")))).save(
                GOLDEN / f"{name}-{style}.png"
            )


if __name__ == "__main__":
    write_golden()
