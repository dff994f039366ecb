"""Faces in video: they come and go softly, stand still when they do, and a resumed run goes on as it would have."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from photo2anime import Photo2AnimeError
from photo2anime.painting import portraits
from photo2anime.painting.stylizer import Stylizer
from photo2anime.types import RGB, Face, Look, PaintedFace, StyleCard
from photo2anime.video.face_tracking import FramePainter

CARD = StyleCard(name="identity", file="", multiple_of=8, halo=16, tiling="exact", bytes_per_px=100)
GREY = np.full((120, 160, 3), 128, np.uint8)


def face_at(x: float, y: float, side: float = 60.0) -> Face:
    eye = side / 4
    landmarks = ((x - eye, y - eye), (x + eye, y - eye), (x, y), (x - eye, y + eye), (x + eye, y + eye))
    return Face((x - side / 2, y - side / 2, x + side / 2, y + side / 2), landmarks, 0.9)


def painter(faces: str = "auto") -> FramePainter:
    """Faces are painted white (version 1) or black (version 2), everything else stays."""
    painters = {"v1": lambda rgb: np.full_like(rgb, 255), "v2": lambda rgb: np.zeros_like(rgb)}
    stylizer = Stylizer(lambda batch: batch, CARD, face_painters=painters)  # type: ignore[arg-type]
    return FramePainter(stylizer, Look(faces=faces))  # type: ignore[arg-type]


@pytest.fixture
def sees(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[Face]], None]:
    """Sets what the detector finds from now on."""
    seen: list[Face] = []

    def find(photo: RGB, choice: str, *_: object, own_style: str) -> tuple[PaintedFace, ...]:
        return tuple(
            PaintedFace(face, portraits.suited_version(face) if choice == "auto" else choice)  # type: ignore[arg-type]
            for face in seen
        )

    def see(faces: list[Face]) -> None:
        seen[:] = faces

    monkeypatch.setattr(portraits, "find_sitters", find)
    return see


def test_a_face_is_there_at_once_in_a_new_scene_and_comes_and_goes_softly_within_one(
    sees: Callable[[list[Face]], None],
) -> None:
    paint = painter("v1")
    sees([face_at(80, 60)])
    paint(GREY)
    assert [track.weight for track in paint.tracks] == [1.0]
    sees([])
    weights = []
    for _ in range(24):
        paint(GREY)
        weights.append(paint.tracks[0].weight if paint.tracks else 0.0)
    assert weights[5] == 1.0 and weights[-1] == 0.0  # two looks may miss it; then it goes
    assert max(a - b for a, b in itertools.pairwise(weights)) == pytest.approx(1 / 6)
    sees([face_at(80, 60)])
    rising = []
    for _ in range(12):
        paint(GREY)
        rising.append(paint.tracks[0].weight if paint.tracks else 0.0)
    assert rising[-1] == pytest.approx(1.0) and max(np.diff([0, *rising])) == pytest.approx(1 / 6)


def test_a_cut_forgets_the_faces_of_the_scene_before(sees: Callable[[list[Face]], None]) -> None:
    paint = painter("v1")
    sees([face_at(80, 60)])
    paint(GREY)
    sees([])
    dark = np.full_like(GREY, 20)
    assert np.array_equal(paint(dark), dark) and not paint.tracks


def test_trembling_is_calmed_and_motion_is_followed(sees: Callable[[list[Face]], None]) -> None:
    rng, paint = np.random.default_rng(0), painter("v1")
    still, found = [], []
    for _ in range(90):
        x = 80 + float(rng.normal(0, 0.7))
        sees([face_at(x, 60)])
        paint(GREY)
        still.append(paint.tracks[0].middle[0])
        found.append(x)
    assert np.std(still[15:]) < 0.6 * np.std(found)
    paint = painter("v1")
    for frame in range(60):
        sees([face_at(40 + frame, 60)])
        paint(GREY)
    assert abs(paint.tracks[0].middle[0] - 99) < 3 and len(paint.tracks) == 1


def test_the_version_does_not_flip_at_the_threshold(
    sees: Callable[[list[Face]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    paint, side = painter(), 100
    monkeypatch.setattr(portraits, "_STYLIZED_FACE_PX", side)
    versions = []
    for frame in range(24):
        sees([face_at(80, 60, side + (4 if frame // 3 % 2 else -4))])
        paint(GREY)
        versions.append(paint.tracks[0].version)
    assert set(versions) == {"v2"}
    for _ in range(30):
        sees([face_at(80, 60, 1.6 * side)])
        paint(GREY)
    assert paint.tracks[0].version == "v1"


def test_kept_state_goes_on_like_an_uninterrupted_run(sees: Callable[[list[Face]], None]) -> None:
    whole, first = painter("v1"), painter("v1")
    pictures = []
    for frame in range(20):
        sees([face_at(50 + 2 * frame, 60)] if frame < 10 else [])
        pictures.append(whole(GREY))
        if frame < 8:
            first(GREY)
        if frame == 7:
            rest = painter("v1")
            rest.state = first.state
        if frame > 7:
            assert np.array_equal(rest(GREY), pictures[-1]), frame


def test_faces_can_be_left_out(sees: Callable[[list[Face]], None]) -> None:
    sees([face_at(80, 60)])
    paint = painter("off")
    assert np.array_equal(paint(GREY), GREY) and paint.state == {}
    with pytest.raises(Photo2AnimeError, match="portrait-v1, which is not installed"):
        FramePainter(Stylizer(lambda batch: batch, CARD, face_painters={}), Look(faces="v1"))
