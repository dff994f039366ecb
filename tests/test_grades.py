"""Films' colours: what they change, what they leave, and that they differ at a glance."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from conftest import EXAMPLES
from photo2anime.painting.grades import Band, Grade, find_grade, grades, lab_to_srgb, srgb_to_lab
from photo2anime.types import Photo2AnimeError

WARM = range(20, 80, 6)  # hues of skin, orange and red, degrees on CIELAB's circle
UNCHANGED = Grade((Band(),) * 7)


def patches(hues: range) -> np.ndarray:  # type: ignore[type-arg]
    """(1, N, 3) uint8: every hue at several lightnesses and chromas that sRGB can show."""
    lightness, chroma, hue = np.meshgrid([35, 50, 65, 80], [15, 20, 30, 45, 60], np.radians(list(hues)))
    lab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=-1).reshape(-1, 3)
    colors = lab_to_srgb(lab)
    return np.rint(colors[((colors >= 0) & (colors <= 1)).all(axis=1)] * 255).astype(np.uint8)[None]


def hue(rgb: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    lab = srgb_to_lab(rgb[0] / 255)
    return np.degrees(np.arctan2(lab[:, 2], lab[:, 1]))


def test_lab_is_the_published_one_and_goes_back() -> None:
    # Lindbloom's calculator, sRGB, D65: red, green, blue, grey
    colors = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0.5, 0.5]])
    expected = [[53.24, 80.09, 67.20], [87.73, -86.18, 83.18], [32.30, 79.19, -107.86], [53.39, 0, 0]]
    assert np.allclose(srgb_to_lab(colors), expected, atol=0.05)
    assert np.allclose(lab_to_srgb(srgb_to_lab(colors)), colors, atol=1e-4)


def test_a_grade_without_facts_changes_nothing() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    off = np.abs(UNCHANGED(photo).astype(int) - photo)
    assert off.mean() < 0.5 and off.max() <= 12  # colours between those of the table


@pytest.mark.parametrize("name", grades())
def test_skin_orange_and_red_keep_their_hue(name: str) -> None:
    warm = patches(WARM)
    grade = replace(find_grade(name), glow=0)  # patches lie side by side and would shine on one another
    turned = (hue(grade(warm)) - hue(warm) + 180) % 360 - 180
    assert np.abs(turned).max() <= 8


def test_films_differ_at_a_glance() -> None:
    photos = [
        np.asarray(Image.open(EXAMPLES / f"{name}.jpg").resize((160, 120))) for name in ("china", "coast", "coffee")
    ]
    looks = {"cel": photos} | {name: [grade(p) for p in photos] for name, grade in grades().items()}
    labs = {name: [srgb_to_lab(p.reshape(-1, 3) / 255) for p in looks[name]] for name in looks}
    for one, other in itertools.combinations(labs, 2):
        apart = [np.linalg.norm(a - b, axis=1).mean() for a, b in zip(labs[one], labs[other], strict=True)]
        assert np.mean(apart) >= 8, f"{one} and {other}"


def test_light_glows_around_bright_places_and_darks_stay_dark() -> None:
    photo = np.full((90, 180, 3), 120, np.uint8)
    photo[:, 90:] = 4
    photo[20:30, 80:85] = 255
    glow = Grade((Band(),) * 7, glow=0.6)(photo).astype(int) - UNCHANGED(photo)
    assert glow[25, 77].min() > 3 and glow[25, 95].max() <= 3 and np.abs(glow[80, 10]).max() <= 1


def test_an_unknown_grade_is_named() -> None:
    with pytest.raises(Photo2AnimeError, match="no grade called noir; there are hayao"):
        find_grade("noir")
