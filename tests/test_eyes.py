"""Eyes are enlarged where they are, and nothing else moves."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from conftest import photo_of
from photo2anime.painting.eyes import enlarge_eyes
from photo2anime.painting.portraits import cut_upright, square_of
from photo2anime.types import Face

EYES = [(70.0, 80.0), (130.0, 84.0)]


def drawn(eyes: list[tuple[float, float]], side: int = 200) -> np.ndarray:  # type: ignore[type-arg]
    """Black discs, 16 pixels wide, on stripes."""
    image = Image.new("RGB", (side, side), "white")
    pen = ImageDraw.Draw(image)
    for y in range(0, side, 20):
        pen.line([(0, y), (side, y)], "red")
    for x, y in eyes:
        pen.rectangle((x - 20, y - 20, x + 20, y + 20), "white")
        pen.ellipse((x - 8, y - 8, x + 8, y + 8), "black")
    return np.asarray(image)


def width_at(picture: np.ndarray, x: float, y: float) -> int:  # type: ignore[type-arg]
    return int((picture[round(y), round(x) - 20 : round(x) + 20, 1] < 128).sum())


def test_eyes_grow_by_more_than_a_third_and_the_rest_stays() -> None:
    face = drawn(EYES)
    result = enlarge_eyes(face, EYES)
    for x, y in EYES:
        assert 1.25 < width_at(result, x, y) / width_at(face, x, y) < 1.6
    far = np.ones(face.shape[:2], bool)
    for x, y in EYES:
        far[round(y) - 27 : round(y) + 28, round(x) - 27 : round(x) + 28] = False
    assert np.array_equal(result[far], face[far]) and not np.array_equal(result, face)


@pytest.mark.parametrize("eyes", [[(2.0, 3.0), (60.0, 3.0)], [(199.0, 199.0), (130.0, 260.0)], [(50.0, 50.0)] * 2])
def test_eyes_at_the_border_outside_or_in_one_place_do_no_harm(eyes: list[tuple[float, float]]) -> None:
    face = drawn(EYES)
    result = enlarge_eyes(face, eyes)
    assert result.shape == face.shape and (result[100:, :100] == face[100:, :100]).mean() > 0.9


@pytest.mark.parametrize("turn", [0, 33, 90, -140])
def test_points_of_the_photo_are_found_in_the_upright_square(turn: int) -> None:
    photo = Image.fromarray(drawn(EYES)).rotate(-turn, Image.Resampling.BICUBIC)
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))

    def turned(x: float, y: float) -> tuple[float, float]:
        return 100 + (x - 100) * cos - (y - 100) * sin, 100 + (x - 100) * sin + (y - 100) * cos

    points = [turned(*point) for point in (*EYES, (100, 110), (80, 130), (120, 130))]
    face = Face((60, 60, 140, 140), tuple(points), 0.9)
    square = square_of(face)
    cut = cut_upright(np.asarray(photo), square)
    for point in points[:2]:
        x, y = square.upright(*point, cut.shape[0])
        assert cut[round(y), round(x), 1] < 60


@pytest.mark.parametrize("apart", [0.5, 2, 3, 5, 9, 14, 20, 38])
def test_eyes_of_any_distance(apart: float) -> None:
    face = photo_of(64, 64)
    larger = enlarge_eyes(face, [(20, 30), (20 + apart, 30)])
    assert larger.shape == face.shape and (apart < 9 or not np.array_equal(larger, face))
