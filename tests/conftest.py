"""Shared pieces: a network that changes nothing, small photos, and where research material may lie."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest

from photo2anime.painting.stylizer import Stylizer
from photo2anime.types import RGB, StyleCard

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
os.environ["PHOTO2ANIME_HOME"] = tempfile.mkdtemp(prefix="photo2anime-tests-")  # whoever runs this may have own styles


def photo_of(height: int, width: int, seed: int = 0) -> RGB:
    """A photo-like picture: smooth colours with some noise on them."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(y / 9 + c) + np.cos(x / 13 - c) for c in range(3)], axis=-1)
    return np.clip(128 + 50 * waves + rng.normal(0, 12, (height, width, 3)), 0, 255).astype(np.uint8)


@pytest.fixture
def identity() -> Stylizer:
    """A style that gives the photo back, in exact tiles."""
    card = StyleCard(name="identity", file="", multiple_of=8, halo=16, tiling="exact", bytes_per_px=100)
    return Stylizer(lambda batch: batch, card)


@pytest.fixture(scope="session")
def teachers() -> Path:
    """The folder of published models; tests that want it are skipped where it is absent."""
    folder = Path(os.environ.get("PHOTO2ANIME_SHARED", ROOT.parent / "shared")) / "teachers"
    if not folder.is_dir():
        pytest.skip("published models are not here (set PHOTO2ANIME_SHARED)")
    return folder


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def one_line(text: str) -> str:
    """text with every run of white space as one space."""
    return re.sub(r"\s+", " ", text).strip()
